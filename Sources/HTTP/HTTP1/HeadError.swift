/// Why a request head is refused. The connection cannot be used any more: where the next request
/// would begin is unknown.
package enum HeadError: Error, Equatable, Sendable {
    /// Not `METHOD SP target SP version CR LF` with single spaces (RFC 9112 section 3).
    case badRequestLine
    case badMethod
    case badTarget
    case fragmentInTarget
    case targetTooLong
    case badVersion
    case unsupportedVersion
    case headTooLarge
    /// More than two empty lines before the request (section 2.2 asks to skip at least one).
    case emptyLines
    case field(FieldError)
    case imitatedFraming
    case repeated(FieldName)
    case nonASCII(FieldName)
    case framing(FramingError)
    case missingHost
    case badHost
    /// The authority in the target is not the one in Host.
    case hostMismatch
    case unknownExpectation

    package var status: Status {
        switch self {
        case .badRequestLine, .badMethod, .badTarget, .fragmentInTarget, .badVersion, .emptyLines,
            .imitatedFraming, .repeated, .nonASCII, .missingHost, .badHost, .hostMismatch:
            .badRequest
        case .targetTooLong: .targetTooLong
        case .unsupportedVersion: .versionNotSupported
        case .headTooLarge: .fieldsTooLarge
        case .unknownExpectation: .expectationFailed
        case .field(let error): error.status
        case .framing(let error): error.status
        }
    }

    /// What is wrong, for the person who sent it.
    package var sentence: StaticString {
        switch self {
        case .badRequestLine: "the request line is not: METHOD, space, target, space, HTTP/1.1"
        case .badMethod: "the method is not a token of at most 32 characters"
        case .badTarget: "the request target is malformed; percent-encode what is not plain ASCII"
        case .fragmentInTarget: "the request target holds a fragment (#); percent-encode it as %23"
        case .targetTooLong: "the request target is too long"
        case .badVersion: "the HTTP version is malformed"
        case .unsupportedVersion: "only HTTP/1.0 and HTTP/1.1 can be spoken here"
        case .headTooLarge: "the header section is too large"
        case .emptyLines: "there are empty lines before the request"
        case .field(let error): error.sentence
        case .imitatedFraming: "a framing field is written with _ for -"
        case .repeated(let name): name.repeatedSentence
        case .nonASCII(let name): name.nonASCIISentence
        case .framing(let error): error.sentence
        case .missingHost: "the Host field is missing"
        case .badHost: "the Host field is not a host with an optional port"
        case .hostMismatch: "the request target names another host than the Host field"
        case .unknownExpectation: "the only expectation supported is 100-continue"
        }
    }
}
