/// The three digits an answer begins with, and what they are called (RFC 9110 section 15).
package struct Status: Equatable, Hashable, Sendable {
    package let code: Int

    /// Any code from 100 to 599; one that the gate does not know has an empty reason phrase.
    package init(code: Int) {
        precondition(code >= 100 && code <= 599)
        self.code = code
    }

    private init(known code: Int) { self.code = code }

    package static let ok = Status(known: 200)
    package static let accepted = Status(known: 202)
    package static let badRequest = Status(known: 400)
    package static let unauthorized = Status(known: 401)
    package static let forbidden = Status(known: 403)
    package static let notFound = Status(known: 404)
    package static let methodNotAllowed = Status(known: 405)
    package static let requestTimeout = Status(known: 408)
    package static let lengthRequired = Status(known: 411)
    package static let contentTooLarge = Status(known: 413)
    package static let targetTooLong = Status(known: 414)
    package static let unsupportedMediaType = Status(known: 415)
    package static let expectationFailed = Status(known: 417)
    package static let tooManyRequests = Status(known: 429)
    package static let fieldsTooLarge = Status(known: 431)
    package static let internalError = Status(known: 500)
    package static let notImplemented = Status(known: 501)
    package static let badGateway = Status(known: 502)
    package static let unavailable = Status(known: 503)
    package static let gatewayTimeout = Status(known: 504)
    package static let versionNotSupported = Status(known: 505)

    /// All that the gate sends, in order.
    package static let all: [Status] = [
        ok, accepted, badRequest, unauthorized, forbidden, notFound, methodNotAllowed,
        requestTimeout, lengthRequired, contentTooLarge, targetTooLong, unsupportedMediaType,
        expectationFailed, tooManyRequests, fieldsTooLarge, internalError, notImplemented,
        badGateway, unavailable, gatewayTimeout, versionNotSupported,
    ]

    package var reason: StaticString {
        switch code {
        case 200: "OK"
        case 202: "Accepted"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 411: "Length Required"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: ""
        }
    }
}
