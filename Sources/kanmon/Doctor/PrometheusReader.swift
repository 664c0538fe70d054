import Bytes
import Catalogue
import Configuration
import Console
import Gateway
import HTTP
import Reactor
import TLS

/// Asks a Prometheus what it has and what it scrapes (its HTTP API), and waits for the answers.
struct PrometheusReader {
    let url: UpstreamURL
    private let pages: PushgatewayReader

    private static let patience = Interval.seconds(8)
    /// Enough for some ten thousand targets; a query's answer is far smaller.
    private static let answerBytesMax = 32 << 20

    init(_ url: UpstreamURL) throws(IdentityError) {
        self.url = url
        pages = PushgatewayReader(try Dialer(url))
    }

    enum Failure: Error {
        case unreachable(PushgatewayReader.Failure)
        /// It answers, but not with what was asked for.
        case refused(status: Int, reason: String)
        case malformed

        /// For a person.
        var sentence: String {
            switch self {
            case .unreachable(let failure): failure.sentence
            case .refused(let status, let reason): "it answers \(status)\(reason)"
            case .malformed: "its answer is not that of a Prometheus"
            }
        }
    }

    /// A series at the moment at which it was asked for.
    struct Series {
        let labels: [String: String]
        let value: Double
        /// Prometheus's clock, in seconds since 1970.
        let time: Double
    }

    /// The series that an expression gives; none when it gives something else.
    func query(_ expression: String) throws(Failure) -> [Series] {
        let data = try data(at: "/api/v1/query?query=\(PrometheusReader.encoded(expression))")
        return (data["result"]?.elements ?? []).compactMap(Series.init)
    }

    /// Everything it scrapes.
    func targets() throws(Failure) -> ScrapeTargets {
        let data = try data(at: "/api/v1/targets?state=active")
        return ScrapeTargets((data["activeTargets"]?.elements ?? []).map(ScrapeTarget.init))
    }

    private func data(at path: String) throws(Failure) -> JSONValue {
        let path = Array(path.utf8)
        var body: [UInt8] = []
        let status: Int
        do throws(PushgatewayReader.Failure) {
            status = try pages.ask(
                .get, path.span, bytesMax: PrometheusReader.answerBytesMax,
                until: .now() + PrometheusReader.patience
            ) { body.append(copying: $0) }
        } catch {
            throw .unreachable(error)
        }
        let answer: JSONValue
        do throws(JSONError) {
            answer = try JSONValue(parsing: body.span)
        } catch {
            throw status == 200 ? .malformed : .refused(status: status, reason: "")
        }
        guard status == 200, let data = answer["data"] else {
            throw .refused(status: status, reason: answer["error"]?.text.map { ": \($0)" } ?? "")
        }
        return data
    }

    /// As a query's value stands in a URL (RFC 3986 section 3.4): all but the unreserved is encoded.
    private static func encoded(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            if byte.isLetter || byte.isDigit || "-._~".utf8.contains(byte) {
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                encoded += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return encoded
    }
}

extension PrometheusReader.Series {
    /// `{"metric": {...}, "value": [time, "value"]}`
    fileprivate init?(_ json: JSONValue) {
        let pair = json["value"]?.elements ?? []
        guard pair.count == 2, let time = pair[0].number,
            let value = pair[1].text.flatMap({ Double($0) })
        else { return nil }
        (self.time, self.value) = (time, value)
        labels = json.texts(of: "metric")
    }

    /// As PromQL writes it.
    var description: String {
        let pairs = labels.filter { $0.key != "__name__" }.sorted { $0.key < $1.key }
        return "{\(pairs.map { "\($0.key)=\(Console.quoted($0.value))" }.joined(separator: ","))}"
    }
}

/// What a Prometheus scrapes at one place.
struct ScrapeTarget {
    let url: String
    let pool: String
    let labels: [String: String]
    /// `up`, `down` or `unknown`.
    let health: String
    let lastError: String
    let interval: Duration

    init(_ json: JSONValue) {
        url = json["scrapeUrl"]?.text ?? ""
        pool = json["scrapePool"]?.text ?? ""
        labels = json.texts(of: "labels")
        health = json["health"]?.text ?? "unknown"
        lastError = json["lastError"]?.text ?? ""
        // A minute is what Prometheus takes when nobody says otherwise.
        interval = json["scrapeInterval"]?.text.flatMap { Duration(prometheus: $0) } ?? .seconds(60)
    }
}

/// Several of them.
struct ScrapeTargets {
    let all: [ScrapeTarget]

    init(_ all: [ScrapeTarget]) { self.all = all }

    /// How long it may be until each has been scraped; zero where there is none.
    var longestInterval: Duration { all.map(\.interval).max() ?? .zero }

    /// Those that are the Pushgateway at `url`; where it is scraped by another name than ours for it,
    /// those that are called one. A target nobody would know again is none of them.
    func of(_ url: UpstreamURL) -> ScrapeTargets {
        let same = all.filter { $0.url.hasPrefix("\(url)/") }
        guard same.isEmpty else { return ScrapeTargets(same) }
        return ScrapeTargets(
            all.filter { target in
                let names = [target.url, target.pool, target.labels["job"] ?? ""]
                return names.contains { $0.lowercased().contains("pushgateway") }
            })
    }
}

extension JSONValue {
    /// The members of an object in this one that are texts.
    fileprivate func texts(of name: String) -> [String: String] {
        var texts: [String: String] = [:]
        for member in self[name]?.members ?? [] { texts[member.name] = member.value.text }
        return texts
    }
}
