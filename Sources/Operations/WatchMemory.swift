import Configuration
import Console
import Reactor

/// Where the state is from one run to the next: in its file, and while that cannot be written, since the
/// disk is full or went bad, in a folder in memory. Else a fault of the disk would be one in which nothing
/// is repaired any more.
struct WatchMemory: Sendable {
    private let file: String
    /// systemd gives the folder (`RuntimeDirectory=`).
    private let spare = ProcessEnvironment.value(of: "RUNTIME_DIRECTORY").map { "\($0)/state.json" }

    init(of plan: Plan) { file = plan.stateFile }

    /// As `WatchState.load`; the problem names the file that it is in.
    func load() -> (state: WatchState, problem: Problem?) {
        // It goes as soon as the other can be written, so where it is it is the later one.
        if let spare, Folder.has(spare) { return WatchState.load(path: spare) }
        return WatchState.load(path: file)
    }

    /// Why it is in the spare place; nil when it is in its own.
    func keep(_ state: WatchState) throws(AtomicFile.Failure) -> AtomicFile.Failure? {
        let text = Array(state.text.utf8)
        do throws(AtomicFile.Failure) {
            try AtomicFile.write(text, to: file, newMode: 0o600)
        } catch {
            guard let spare else { throw error }
            try AtomicFile.write(text, to: spare, newMode: 0o600)
            return error
        }
        if let spare, Folder.has(spare) { try? Folder.removeFile(spare) }
        return nil
    }
}
