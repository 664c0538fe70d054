import Foundation
import Testing

/// Every form that the path of a push can have: where a bare Pushgateway puts it, and that the gate
/// refuses it or puts it where it says. Rights are decided by the group that the gate read from the
/// path; if the Pushgateway read another one, they would mean nothing.
@Suite struct PathFormTests {
    struct Form: Sendable {
        let path: String
        let bare: Bare
        let gate: Verdict
        /// No push is answered, or no scrape, after a bare Pushgateway was told this.
        var isHarmful = false

        enum Bare: Sendable {
            case group(Labels)
            /// Any status that is not a success, and where it points to.
            case status(Int, location: String? = nil)
        }

        enum Verdict: Sendable {
            case group(Labels)
            case refused(Int, String)
        }

        /// Both put it into one group.
        init(_ path: String, _ group: Labels) {
            (self.path, bare, gate) = (path, .group(group), .group(group))
        }

        init(_ path: String, _ bare: Bare, _ gate: Verdict, isHarmful: Bool = false) {
            (self.path, self.bare, self.gate, self.isHarmful) = (path, bare, gate, isHarmful)
        }
    }

    private static let a: Labels = ["job": "a"]
    private static func a(_ labels: Labels) -> Labels { labels.merging(a) { own, _ in own } }
    private static let badRequest = Form.Bare.status(400)
    private static let elsewhere = Form.Verdict.refused(404, "nothing is here")
    private static let doubleSlash = Form.Verdict.refused(400, "holds //")
    private static let dots = Form.Verdict.refused(400, "holds . or ..")
    private static let odd = Form.Verdict.refused(400, "must be pairs")
    private static let unfinished = Form.Verdict.refused(400, "last part is missing")
    private static let base64 = Form.Verdict.refused(400, "not base64")
    private static let control = Form.Verdict.refused(400, "control character")
    private static let notText = Form.Verdict.refused(400, "not valid UTF-8")

    static let forms: [Form] = [
        // The plain ones
        Form("/metrics/job/a", a),
        Form("/metrics/job/a/", a),
        Form("/metrics/job/a/instance/x", a(["instance": "x"])),
        Form("/metrics/job/a/z/1/b/2", a(["z": "1", "b": "2"])),
        Form("/metrics/job", .status(404), elsewhere),
        Form(
            "/metrics/job/", .status(307, location: "/metrics/job"),
            .refused(400, "job is missing")),
        Form("/metrics/jobs/a", .status(404), elsewhere),
        // What is cleaned away on the way
        Form(
            "/metrics/job//instance/x", .status(301, location: "/metrics/job/instance/x"),
            doubleSlash),
        Form(
            "/metrics/job/a//instance/x", .status(301, location: "/metrics/job/a/instance/x"),
            doubleSlash),
        Form("/metrics/job/a/l//", .status(301, location: "/metrics/job/a/l/"), doubleSlash),
        Form("//metrics/job/a", .status(301, location: "/metrics/job/a"), elsewhere),
        Form("/metrics//job/a", .status(301, location: "/metrics/job/a"), elsewhere),
        Form("/metrics/./job/a", .status(301, location: "/metrics/job/a"), elsewhere),
        Form("/metrics/job/a/../b", .status(301, location: "/metrics/job/b"), dots),
        Form("/metrics/job/./l/x", .status(301, location: "/metrics/job/l/x"), dots),
        Form("/metrics/job/%2e%2e/x", .status(301, location: "/metrics/x"), dots),
        Form("/metrics/job/a/l/.", .status(301, location: "/metrics/job/a/l"), dots),
        Form("/metrics/job/a/l/..", .status(301, location: "/metrics/job/a"), dots),
        Form("/metrics/job/...", ["job": "..."]),
        Form("/metrics/job/.a", ["job": ".a"]),
        Form("/metrics/job@base64/Li4", ["job": ".."]),
        Form("/metrics/job@base64/Lg/l@base64/Lg", ["job": ".", "l": "."]),
        // Case, and letters that are encoded without need
        Form("/metrics/JOB/a", .status(307, location: "/metrics/job/a"), elsewhere),
        Form("/Metrics/job/a", .status(307, location: "/metrics/job/a"), elsewhere),
        Form("/metrics/%6aob/a", .group(a), elsewhere),
        Form("/metrics/job%40base64/YQ", .group(a), elsewhere),
        Form("/metrics%2Fjob/a", .group(a), elsewhere),
        Form("/metrics/job/%61/%69nstance/%78", a(["instance": "x"])),
        Form("/metrics/job/a/l%40base64/YQ", a(["l": "a"])),
        // Parts that are missing
        Form("/metrics/job/a/instance", badRequest, odd),
        Form("/metrics/job/a/instance/x/", badRequest, unfinished),
        Form("/metrics/job/a/instance/x/y", badRequest, odd),
        Form("/metrics/job/a/instance/", .group(a(["instance": ""])), unfinished),
        Form("/metrics/job/a/l/", .group(a(["l": ""])), unfinished),
        Form("/metrics/job/a/l@base64/", .group(a(["l": ""])), unfinished),
        Form("/metrics/job@base64/", .status(404), .refused(400, "job is missing")),
        // Base64
        Form("/metrics/job@base64/YQ", a),
        Form("/metrics/job@base64/YQ==", a),
        Form("/metrics/job@base64/YQ=", .group(a), base64),
        Form("/metrics/job@base64/YQ=====", .group(a), base64),
        Form("/metrics/job@base64/YR", .group(a), base64),
        Form("/metrics/job@base64/Y", badRequest, base64, isHarmful: true),
        Form("/metrics/job@base64/=", badRequest, .refused(400, "job is missing")),
        Form("/metrics/job@base64/!!", badRequest, base64, isHarmful: true),
        Form("/metrics/job@base64/YQ+-", badRequest, base64, isHarmful: true),
        Form("/metrics/job/a/l@base64/=", .group(a(["l": ""])), .group(a)),
        Form("/metrics/job/a/instance@base64/=", .group(a(["instance": ""])), .group(a)),
        Form("/metrics/job/a/l@base64/==", .group(a(["l": ""])), base64),
        Form("/metrics/job/a/l@base64/*", badRequest, base64),
        Form("/metrics/job/a/l@base64/YS9i", a(["l": "a/b"])),
        Form("/metrics/job/a/l@base64/w6k", a(["l": "é"])),
        Form("/metrics/job/a/l@base64/8J-YgA==", a(["l": "😀"])),
        Form("/metrics/job/a/l@base64/8J+YgA==", badRequest, base64),
        Form("/metrics/job/a/l/b@base64", a(["l": "b@base64"])),
        Form("/metrics/job/a/@base64/YQ", badRequest, .refused(400, "label name")),
        // Percent
        Form("/metrics/job/a%2Fb", badRequest, .refused(400, "%2F")),
        Form("/metrics/job/a%2Fl%2Fb", .group(a(["l": "b"])), .refused(400, "%2F")),
        Form("/metrics/job/a/l/b%2fc", badRequest, .refused(400, "%2F")),
        Form("/metrics/job/a%20b", ["job": "a b"]),
        Form("/metrics/job/a+b", ["job": "a+b"]),
        Form("/metrics/job/%CE%A0", ["job": "Π"]),
        Form("/metrics/job/a/l/%252F", a(["l": "%2F"])),
        Form("/metrics/job/a/l/%22%5C%2C%3D%7B%7D%3B", a(["l": "\"\\,={};"])),
        Form("/metrics/job/a;b=c,d", ["job": "a;b=c,d"]),
        Form("/metrics/job/a/l/%E2%80%A8", a(["l": "\u{2028}"])),
        Form("/metrics/job/a%00b", .group(["job": "a\0b"]), control),
        Form("/metrics/job/a%0Ab", .group(["job": "a\nb"]), control),
        Form("/metrics/job@base64/YQo", .group(["job": "a\n"]), control),
        Form("/metrics/job/a/l/%7f", .group(a(["l": "\u{7F}"])), control),
        Form("/metrics/job/a/l/%C2%85", .group(a(["l": "\u{85}"])), control),
        Form("/metrics/job/%", badRequest, .refused(400, "percent")),
        Form("/metrics/job/a%zz", badRequest, .refused(400, "percent")),
        Form("/metrics/job/a/l/%4", badRequest, .refused(400, "percent")),
        Form("/metrics/job/%ff", badRequest, notText, isHarmful: true),
        Form("/metrics/job@base64/_w", badRequest, notText, isHarmful: true),
        Form("/metrics/job/a/l/%ed%a0%80", badRequest, notText, isHarmful: true),
        Form("/metrics/job/a/%ff/x", badRequest, .refused(400, "label name")),
        // Names
        Form("/metrics/job/a/__x/y", badRequest, .refused(400, "reserved")),
        Form("/metrics/job/a/__name__/y", badRequest, .refused(400, "reserved")),
        Form("/metrics/job/a/a-b/y", badRequest, .refused(400, "label name")),
        Form("/metrics/job/a/9l/y", badRequest, .refused(400, "label name")),
        Form("/metrics/job/a/%C3%A9/y", badRequest, .refused(400, "label name")),
        Form("/metrics/job/a/U__l/y", .group(a(["U__l": "y"])), .refused(400, "U__")),
        Form("/metrics/job/a/_x/y", a(["_x": "y"])),
        // Things given twice
        Form("/metrics/job/a/job/zzz", .group(a), .refused(400, "already given")),
        Form("/metrics/job/a/job@base64/eg", .group(a), .refused(400, "already given")),
        Form("/metrics/job/a/l/1/l/2", .group(a(["l": "2"])), .refused(400, "given twice")),
        Form("/metrics/job/a/l/1/l@base64/MQ", .group(a(["l": "1"])), .refused(400, "given twice")),
        // Much of it, and more than a path
        Form(
            "/metrics/job/" + String(repeating: "j", count: 3000),
            ["job": String(repeating: "j", count: 3000)]),
        Form(
            "/metrics/job/" + String(repeating: "j", count: 5000),
            .group(["job": String(repeating: "j", count: 5000)]), .refused(414, "too long")),
        Form(
            "/metrics/job/a" + (0..<17).map { "/l\($0)/x" }.joined(),
            .group(a(Labels(uniqueKeysWithValues: (0..<17).map { ("l\($0)", "x") }))),
            .refused(400, "more labels")),
        Form("/metrics/job/a?l=x", .group(a), .refused(400, "no query")),
        Form("/metrics/job/a/l/x%3fy", a(["l": "x?y"])),
    ]

    @Test func `a bare Pushgateway takes them as the table says`() throws {
        let shared = try Pushgateway("--web.enable-admin-api")
        for form in Self.forms {
            let pushgateway = form.isHarmful ? try Pushgateway() : shared
            let answer = try pushgateway.ask(
                Array(
                    TestClient.request(
                        "PUT", form.path, body: "m 1\n", fields: ["Connection: close"]
                    ).utf8), within: 5)
            switch form.bare {
            case .group(let labels):
                #expect(answer.status == 200, "\(form.path): \(answer)")
                #expect(try pushgateway.groups() == [labels], "\(form.path)")
            case .status(let status, let location):
                #expect(answer.status == status, "\(form.path): \(answer)")
                if let location {
                    let head = try pushgateway.head(ofAnswerTo: form.path)
                    #expect(head.contains("Location: \(location)\r\n"), "\(form.path): \(head)")
                }
            }
            if !form.isHarmful { try pushgateway.wipe() }
        }
    }

    @Test func `the gate refuses them, or both mean one group`() throws {
        let pushgateway = try Pushgateway("--web.enable-admin-api")
        let gate = try Gate(
            upstream: pushgateway.port, settings: "log: {level: info, format: json}")
        for form in Self.forms {
            let before = try pushgateway.pushRequests()
            let answer = try gate.send("PUT", form.path, body: "m 1\n")
            let groups = try pushgateway.pushTimes()
            switch form.gate {
            case .group(let labels):
                #expect(answer.status == 200, "\(form.path): \(answer)")
                let line = try #require(gate.logLine(of: answer))
                #expect(line.group == labels, "\(form.path)")
                // A group without an instance is exported with an empty one.
                #expect(groups == [labels.merging(["instance": ""]) { own, _ in own }])
                #expect(try pushgateway.groups() == [labels], "\(form.path)")
            case .refused(let status, let text):
                #expect(answer.status == status, "\(form.path): \(answer)")
                #expect(answer.body.contains(text), "\(form.path): \(answer)")
                #expect(answer.fields["location"] == nil)
                #expect(groups.isEmpty, "\(form.path)")
                #expect(try pushgateway.pushRequests() == before, "\(form.path)")
            }
            if !groups.isEmpty { try pushgateway.wipe() }
        }
    }
}

extension Pushgateway {
    /// The head of what it answers to a PUT.
    fileprivate func head(ofAnswerTo path: String) throws -> String {
        let socket = try BlockingSocket(port: port)
        try socket.send(
            Array(
                TestClient.request("PUT", path, body: "m 1\n", fields: ["Connection: close"]).utf8))
        return String(decoding: socket.receiveAll(), as: UTF8.self)
    }
}
