/// What ends the reading of a line: a complaint before it has become text. Holds only numbers, so
/// that throwing one costs nothing and a body full of errors is no slower than one without.
struct Flaw: Error {
    var reason: Complaint.Reason
    /// The byte to point at.
    var offset: Int
    /// The last byte that had to be seen. Never beyond the line feed of the line; reading goes on
    /// with the next line from here. When this is the end of the input, the flaw is in a token that
    /// was cut, and the end is the real trouble.
    var readTo: Int
    /// The bytes to show.
    var evidence: Range<Int>

    init(_ reason: Complaint.Reason, at offset: Int, readTo: Int, showing evidence: Range<Int>) {
        self.reason = reason
        self.offset = offset
        self.readTo = readTo
        self.evidence = evidence
    }

    /// A byte that must not stand where it stands.
    init(_ reason: Complaint.Reason, found offset: Int) {
        self.init(reason, at: offset, readTo: offset, showing: offset..<offset &+ 1)
    }
}
