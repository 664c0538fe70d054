import Admission
import Bytes
import Reactor

/// What the doctor pushes: one sample, in a group that nobody had before. So it can neither be taken for
/// an older one nor touch what others have pushed, whatever labels were asked for.
struct Probe {
    static let metric = "kanmon_doctor_probe"
    /// The label that makes the group its own. Rules leave labels free that they do not list.
    static let label = "kanmon_doctor"

    /// The label's value.
    let token: String
    let job: String
    /// The group, as logs have it.
    let group: String
    /// Its path, as it stands in a request.
    let path: [UInt8]

    static let body = Array(
        """
        # HELP kanmon_doctor_probe Made by kanmon doctor, which deletes it again.
        # TYPE kanmon_doctor_probe gauge
        kanmon_doctor_probe 1

        """.utf8)

    /// Why there can be no such group, for a person.
    struct BadGroup: Error {
        let sentence: String
    }

    /// - Parameter labels: of the group, a job among them: `job=backup,instance=db1`.
    init(group labels: String) throws(BadGroup) {
        let token = String(WallClock.now().milliseconds)
        let pairs = try Probe.pairs(of: labels) + [(Probe.label, token)]
        guard let job = pairs.first(where: { $0.name == "job" })?.value else {
            throw BadGroup(sentence: "names no job; an example is job=backup,instance=db1")
        }
        (self.token, self.job) = (token, job)
        var key = GroupingKey()
        let jobBytes = Array(job.utf8)
        key.begin(job: jobBytes.span)
        for (name, value) in pairs.sorted(by: { $0.name < $1.name }) {
            let (name, value) = (Array(name.utf8), Array(value.utf8))
            key.insert(name: name.span, value: value.span)
        }
        var path = ByteBuffer()
        var description = ByteBuffer()
        key.writePath(into: &path)
        do throws(GroupingKeyError) {
            try key.decode(path.span, labelsMax: pairs.count)
        } catch {
            throw BadGroup(sentence: String(decoding: error.sentence.span))
        }
        key.writeDescription(into: &description)
        self.path = [UInt8](copying: path.span)
        group = String(decoding: description.span)
    }

    private static func pairs(
        of labels: String
    ) throws(BadGroup) -> [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        for label in labels.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw BadGroup(
                    sentence: "is no list of labels; an example is job=backup,instance=db1")
            }
            guard !pairs.contains(where: { $0.name == parts[0] }) else {
                throw BadGroup(sentence: "holds the label \(parts[0]) twice")
            }
            pairs.append((String(parts[0]), String(parts[1])))
        }
        return pairs
    }

    /// A request for its group.
    func request(_ method: String, host: String, authorization: [UInt8]) -> [UInt8] {
        let isPush = method != "DELETE"
        var request = ByteBuffer()
        request.append(text: "\(method) ")
        request.append(path.span)
        request.append(text: " HTTP/1.1\r\nHost: \(host)\r\nAuthorization: ")
        request.append(authorization.span)
        request.append("\r\nAccept: application/problem+json\r\n")
        if isPush {
            request.append("Content-Type: text/plain; version=0.0.4\r\nContent-Length: ")
            request.append(decimal: Probe.body.count)
            request.append("\r\n")
        }
        request.append("\r\n")
        if isPush { request.append(Probe.body.span) }
        return [UInt8](copying: request.span)
    }
}

/// Looks for the probe in what the Pushgateway exports, which comes in pieces.
struct ProbeSearch {
    private let start: [UInt8] = Array("\(Probe.metric){".utf8)
    private let mark: String
    private var line: [UInt8] = []
    private(set) var isFound = false

    /// No line with the probe in it is longer: labels were bounded when they were pushed.
    private static let lineBytesMax = 64 << 10

    init(for probe: Probe) { mark = "\(Probe.label)=\"\(probe.token)\"" }

    mutating func look(through bytes: Span<UInt8>) {
        var place = 0
        while place < bytes.count {
            let end = bytes.firstIndex(of: UInt8(ascii: "\n"), from: place)
            let piece = bytes.extracting(place..<(end ?? bytes.count))
            line.append(copying: piece.extracting(first: ProbeSearch.lineBytesMax - line.count))
            guard let end else { return }
            if line.starts(with: start), String(decoding: line.span).contains(mark) {
                isFound = true
            }
            line.removeAll(keepingCapacity: true)
            place = end + 1
        }
    }
}
