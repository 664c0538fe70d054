import Bytes

/// Says whether a password is the right one, and does the same work for every answer.
///
/// The work is counted in rounds. What a hash costs besides its rounds is worth about two of them,
/// so answers that took one hash and answers that took three differ by less than the scheduler's
/// noise; they differ at all only in a file that mixes costs.
///
/// One checker serves one thread. A verification blocks for as long as bcrypt takes, so it has no
/// place on an event loop.
package struct PasswordChecker: ~Copyable {
    private var bcrypt = Bcrypt()
    /// All rounds hashed so far, for those who want to see that no answer was cheaper.
    package private(set) var workDone: UInt64 = 0
    /// All verifications in which libxcrypt gave no hash; each counts as a wrong password.
    package private(set) var failureCount: UInt64 = 0

    package init() {}

    /// Which of `lines` was made of `password`? Nil when none was.
    ///
    /// Every line is tried, and what they leave of `work` goes into hashes that nobody reads. So
    /// an unknown user (no lines), a wrong password and one that cannot be right (over 72 bytes,
    /// or with a NUL) all cost `work` rounds, which is `UserFile.work`: equal to the costliest
    /// user's, or the clock would tell the names of users apart.
    package mutating func verify(
        _ password: Span<UInt8>, against lines: [PasswordHash], work: UInt64
    ) -> Int? {
        if Bcrypt.canHash(password) { return hash(password, against: lines, work: work) }
        _ = hash(("decoy" as StaticString).span, against: lines, work: work)
        return nil
    }

    private mutating func hash(
        _ password: Span<UInt8>, against lines: [PasswordHash], work: UInt64
    ) -> Int? {
        var matched: Int?
        var linesWork: UInt64 = 0
        for (index, line) in lines.enumerated() {
            if isMatch(password, line) { matched = index }
            linesWork += line.work
        }
        workDone &+= linesWork
        if work > linesWork { spend(work - linesWork, on: password) }
        return matched
    }

    private mutating func isMatch(_ password: Span<UInt8>, _ line: PasswordHash) -> Bool {
        let stored = line.bytes.span
        let verdict = bcrypt.hash(password, setting: stored) { hash in
            PasswordChecker.isSame(hash, stored)
        }
        if verdict == nil { failureCount &+= 1 }
        return verdict ?? false
    }

    /// Hashes `work` rounds, one hash for each power of two in it. All costs are at least 4, so
    /// nothing is left over.
    private mutating func spend(_ work: UInt64, on password: Span<UInt8>) {
        for cost in stride(from: 31, through: PasswordHash.costs.lowerBound, by: -1)
        where work >> UInt64(cost) & 1 == 1 {
            let digits = cost < 10 ? "0\(cost)" : "\(cost)"
            let setting = Array("$2b$\(digits)$......................".utf8)
            if bcrypt.hash(password, setting: setting.span, { _ in }) == nil { failureCount &+= 1 }
            workDone &+= 1 << UInt64(cost)
        }
    }

    /// Compares without stopping at the first difference.
    private static func isSame(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }
}
