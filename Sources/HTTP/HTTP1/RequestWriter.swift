package import Bytes

/// Writes the head of a request to the Pushgateway: what the gate has checked, and nothing that a
/// client wrote besides.
package enum RequestWriter {
    /// A body that is complete, decoded and valid, as the Pushgateway is told about it.
    package struct Body: Equatable, Sendable {
        /// One of the two formats that the gate can prove valid.
        package enum Format: Sendable { case text, delimitedProtobuf }

        package var format: Format
        package var length: Int

        package init(_ format: Format, length: Int) {
            self.format = format
            self.length = length
        }
    }

    /// Appends request line, fields and empty line.
    /// - Parameters:
    ///   - pathPrefix: of the Pushgateway's own URL; may be empty.
    ///   - path: in canonical form, percent-encoded.
    ///   - host: what its URL names, with the port.
    ///   - authorization: the whole field value; nil when it asks for no login.
    ///   - body: nil for a request that has none, such as DELETE; an empty body still has a length.
    package static func append(
        _ method: Method, pathPrefix: Span<UInt8>, path: Span<UInt8>, host: Span<UInt8>,
        authorization: Span<UInt8>?, body: Body?, to buffer: inout ByteBuffer
    ) {
        assert(path.count > 0)
        buffer.append(method.name)
        buffer.append(" ")
        buffer.append(pathPrefix)
        buffer.append(path)
        buffer.append(" HTTP/1.1\r\nHost: ")
        buffer.append(host)
        if let authorization {
            buffer.append("\r\nAuthorization: ")
            buffer.append(authorization)
        }
        if let body {
            buffer.append("\r\nContent-Type: ")
            buffer.append(body.format.contentType)
            buffer.append("\r\nContent-Length: ")
            buffer.append(decimal: body.length)
        }
        buffer.append("\r\n\r\n")
    }
}

extension RequestWriter.Body.Format {
    fileprivate var contentType: StaticString {
        switch self {
        case .text: "text/plain; version=0.0.4; charset=utf-8"
        case .delimitedProtobuf:
            """
            application/vnd.google.protobuf; \
            proto=io.prometheus.client.MetricFamily; encoding=delimited
            """
        }
    }
}
