import Bytes
import Configuration
import Gateway
import HTTP
import Reactor
import TLS

/// Asks the gate that runs on this machine for one of its pages, and waits for it: at the admin listener,
/// or at the door that clients use, where only health is told.
struct GateInquiry {
    private let address: SocketAddress
    /// The certificate that has to be shown; nil in plain HTTP.
    private let certificate: (pem: [UInt8], shown: Certificate)?

    private static let patience = Interval.seconds(5)
    private static let pageBytesMax = 4 << 20

    struct Page {
        let status: Int
        let text: String
    }

    /// Why there is no page, for a person.
    struct Failure: Error {
        let sentence: String
    }

    /// Nil where the configuration has no admin listener, or leaves its port to the system.
    init?(atAdminOf configuration: Configuration) {
        guard let listen = configuration.admin?.listen.value, listen.port != 0 else { return nil }
        (address, certificate) = (listen.reachableHere, nil)
    }

    /// Nil where every port is left to the system.
    init?(atDoorOf snapshot: Snapshot) {
        guard
            let listen = snapshot.configuration.listen.map(\.value).first(where: { $0.port != 0 })
        else { return nil }
        address = listen.reachableHere
        certificate = (snapshot.identity.certificates, snapshot.certificate)
    }

    var place: String { "\(certificate == nil ? "http" : "https")://\(address)" }

    func page(_ path: StaticString, accepting type: StaticString = "*/*") throws(Failure) -> Page {
        var wire = try Wire.open(to: address, until: .now() + GateInquiry.patience)
        if let certificate { try wire.secure(expecting: certificate.pem, certificate.shown) }
        var request = ByteBuffer()
        request.append("GET ")
        request.append(path)
        request.append(" HTTP/1.1\r\nHost: localhost\r\nAccept: ")
        request.append(type)
        request.append("\r\nConnection: close\r\n\r\n")
        try wire.send(request.span)
        return try receivePage(from: &wire)
    }

    private func receivePage(from wire: inout Wire) throws(Failure) -> Page {
        let nonsense = Failure(sentence: "what answers at \(place) is no gate")
        var parser = ResponseParser()
        var input = ByteBuffer()
        var head: ResponseHead?
        while true {
            if head == nil {
                head = try? parser.parse(input.span, requestMethod: .get)
            }
            if let head {
                guard case .length(let length) = head.body, length <= GateInquiry.pageBytesMax
                else {
                    throw nonsense
                }
                let end = head.length + length
                if input.count >= end {
                    let body = input.span.extracting(head.length..<end)
                    return Page(status: head.status, text: String(decoding: body))
                }
            }
            guard input.count < GateInquiry.pageBytesMax + ResponseParser.headBytesMax,
                try wire.receive(into: &input)
            else { throw nonsense }
        }
    }
}

extension ListenAddress {
    /// The address at which this machine reaches itself.
    fileprivate var reachableHere: SocketAddress {
        SocketAddress(address: localAddress, port: port)
    }
}
