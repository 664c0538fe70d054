import Bytes
import Exposition
import HTTP

/// What a refused client reads: plain text that a person can act on, or a problem document (RFC 9457)
/// for a program that asked for JSON.
struct RefusalText: ~Copyable {
    let refusal: Refusal
    /// What is said behind the sentence, at most `detailBytesMax` bytes of it.
    let detail: String
    /// What is wrong with the body, where that is the reason.
    let inspection: Inspection?

    private static let detailBytesMax = 240
    private static let nameBytesMax = 60

    init(_ refusal: Refusal, detail: String, of exchange: Exchange) {
        (self.refusal, self.detail) = (refusal, detail)
        inspection = refusal == .bodyInvalid ? exchange.inspection : nil
    }

    /// A metric's name, as much of it as an answer shows.
    static func shown(name: Span<UInt8>) -> String {
        let start = String(decoding: name.extracting(first: nameBytesMax))
        return name.count > nameBytesMax ? start + "…" : start
    }

    // MARK: Plain text

    func append(to text: inout ByteBuffer) {
        text.append(refusal.sentence)
        if !detail.isEmpty {
            text.append(": ")
            appendDetail(to: &text, isQuoted: false)
        }
        text.append("\n")
        guard let inspection else { return }
        for complaint in inspection.complaints { append(complaint, to: &text) }
        let untold = inspection.summary.complaints - inspection.complaints.count
        guard untold > 0 else { return }
        text.append("and ")
        text.append(decimal: untold)
        text.append(" more\n")
    }

    private func append(_ complaint: Complaint, to text: inout ByteBuffer) {
        text.append(text: complaint.place)
        text.append(": ")
        text.append(text: complaint.message)
        text.append("\n")
        guard let hint = complaint.hint else { return }
        text.append("  hint: ")
        text.append(text: hint)
        text.append("\n")
    }

    private func appendDetail(to text: inout ByteBuffer, isQuoted: Bool) {
        let bytes = Array(detail.utf8)
        text.append(
            escaping: bytes.span, bytesMax: RefusalText.detailBytesMax, isQuoted: isQuoted)
    }

    // MARK: JSON

    /// The members of RFC 9457, and three of our own: the word that logs and metrics use, the request's
    /// name, and what is wrong with the body. There is no `type`: it would be `about:blank`.
    func appendProblem(to json: inout ByteBuffer, requestID: Span<UInt8>) {
        json.append("{\"title\":\"")
        json.append(refusal.status.reason)
        json.append("\",\"status\":")
        json.append(decimal: refusal.status.code)
        json.append(",\"detail\":\"")
        json.append(escaping: refusal.sentence.span, bytesMax: 1024)
        if !detail.isEmpty {
            json.append(": ")
            appendDetail(to: &json, isQuoted: true)
        }
        json.append("\",\"reason\":\"")
        json.append(refusal.word)
        json.append("\",\"request_id\":\"")
        json.append(requestID)
        json.append("\"")
        if let inspection {
            json.append(",\"problems\":")
            json.append(decimal: inspection.summary.complaints)
            json.append(",\"errors\":[")
            for (index, complaint) in inspection.complaints.enumerated() {
                if index > 0 { json.append(",") }
                appendError(complaint, to: &json)
            }
            json.append("]")
        }
        json.append("}\n")
    }

    private func appendError(_ complaint: Complaint, to json: inout ByteBuffer) {
        json.append("{\"line\":")
        json.append(decimal: complaint.line)
        json.append(",\"column\":")
        json.append(decimal: complaint.column)
        json.append(",\"message\":\"")
        append(quoting: complaint.message, to: &json)
        json.append("\"")
        if let hint = complaint.hint {
            json.append(",\"hint\":\"")
            append(quoting: hint, to: &json)
            json.append("\"")
        }
        json.append("}")
    }

    private func append(quoting text: String, to json: inout ByteBuffer) {
        let bytes = Array(text.utf8)
        json.append(escaping: bytes.span, bytesMax: bytes.count)
    }
}
