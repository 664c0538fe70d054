import Bytes
import Exposition
import Testing

@testable import Catalogue

@Suite struct GroupListingTests {
    /// As Pushgateway 1.5.1 wrote it: every member that a group can have, and families that stand in
    /// their place.
    static let real = """
        {"status":"success","data":[{"labels":{"job":"a"},"last_push_successful":true,\
        "p":{"time_stamp":"2026-11-21T07:01:18.5Z","type":"COUNTER","metrics":[]},\
        "h":{"time_stamp":"2026-11-21T07:01:18.5Z","type":"HISTOGRAM","help":"he\\\\l\\np\\"q",\
        "metrics":[{"buckets":{"+Inf":"2","1":"1"},"count":"2","labels":{"instance":"","job":"a"},\
        "sum":"3"}]},\
        "push_failure_time_seconds":{"time_stamp":"2026-11-21T07:01:18.5Z","type":"GAUGE",\
        "help":"Last Unix time.","metrics":[{"labels":{"instance":"","job":"a"},"value":"0"}]},\
        "push_time_seconds":{"time_stamp":"2026-11-21T07:01:18.5Z","type":"GAUGE",\
        "metrics":[{"labels":{"instance":"","job":"a"},"value":"1.7952444785e+09"}]}},\
        {"labels":{"time_stamp":"2026-11-21T07:01:18.5Z","type":"SUMMARY",\
        "metrics":[{"labels":{"instance":"","job":"b","l":"x"},"quantiles":{"0.5":"1"},\
        "count":"1","sum":"1"}]},\
        "last_push_successful":{"time_stamp":"t","type":"UNTYPED",\
        "metrics":[{"labels":{"instance":"","job":"b","l":"x"},"value":"1"},{"value":"2"}]},\
        "push_failure_time_seconds":{"time_stamp":"t","type":"GAUGE",\
        "metrics":[{"labels":{"instance":"","job":"b","l":"x"},"value":"1.79524447e+09"}]},\
        "push_time_seconds":{"time_stamp":"t","type":"GAUGE",\
        "metrics":[{"labels":{"instance":"","job":"b","l":"x"},"value":"0"}]}}]}

        """

    static let expected = [
        Described(
            labels: ["job": "a"],
            families: [
                "p": "counter?", "h": "histogram", "push_time_seconds": "gauge",
                "push_failure_time_seconds": "gauge",
            ], pushTime: 1795244478.5),
        Described(
            labels: ["job": "b", "l": "x"],
            families: [
                "labels": "summary", "last_push_successful": "untyped",
                "push_time_seconds": "gauge", "push_failure_time_seconds": "gauge",
            ], pushFailureTime: 1795244470),
    ]

    @Test func `a listing says the same, wherever it is split`() throws {
        for size in [1, 2, 3, 7, 64, 1 << 20] {
            let listing = try listing(Self.real, pieces: size)
            #expect(described(listing) == Self.expected)
            #expect(listing.isComplete)
        }
        let bytes = Array(Self.real.utf8)
        for first in 0...bytes.count {
            var reader = GroupListingReader()
            try reader.read(bytes.span.extracting(0..<first))
            try reader.read(bytes.span.extracting(first..<bytes.count))
            #expect(described(try reader.finish()) == Self.expected)
        }
    }

    @Test func `labels whose names are those of a family's members are labels`() throws {
        let labels = ["job": "a", "metrics": "COUNTER", "time_stamp": "x", "type": "GAUGE"]
        let listing = try listing(listingText([(labels, ["m": "GAUGE"])]))
        #expect(described(listing) == [Described(labels: labels, families: ["m": "gauge"])])
    }

    @Test func `a Pushgateway that holds nothing has no groups`() throws {
        let listing = try listing(#"{"status":"success","data":[]}"#)
        #expect(listing.groupCount == 0 && listing.isComplete)
    }

    @Test func `labels are sorted, and known by name`() throws {
        let listing = try listing(
            #"{"data":[{"labels":{"z":"1","job":"j","a":"2","job2":""}}],"status":"success"}"#)
        var names: [String] = []
        for place in 0..<listing.labelCount(of: 0) {
            listing.withLabel(at: place, of: 0) { name, _ in names.append(String(decoding: name)) }
        }
        #expect(names == ["a", "job", "job2", "z"])
        #expect(listing.withValue(of: "job", in: 0) { String(decoding: $0) } == "j")
        #expect(listing.withValue(of: "nobody", in: 0) { $0.count } == 0)
        #expect(listing.key(of: 0) == key(["job": "j", "a": "2", "z": "1"]))
    }

    static let refused: [(text: String, error: ListingError)] = [
        ("", .cut), ("{", .cut), (#"{"status":"success","data":["#, .cut),
        (#"{"status":"success","data":[{"labels":{"job":"a"}"#, .cut),
        ("[]", .notAListing), ("{}", .notAListing), (#"{"status":"success"}"#, .notAListing),
        (#"{"data":[]}"#, .notAListing), (#"{"status":"success","data":{}}"#, .notAListing),
        (#"{"status":"success","data":null}"#, .notAListing),
        (#"{"status":1,"data":[]}"#, .notAListing),
        (#"{"status":"error","errorType":"x","error":"y"}"#, .failed),
        (#"{"status":"success","data":[1]}"#, .notAListing),
        (#"{"status":"success","data":[[]]}"#, .notAListing),
        (#"{"status":"success","data":[],"data":[]}"#, .notAListing),
        (#"{"status":"success","data":[{"m":{"metrics":[1]}}]}"#, .notAListing),
        (#"{"status":"success","data":[{"m":{"metrics":[[{}]]}}]}"#, .notAListing),
        (#"{"status":"success","data":[{"m":{"metrics":[],"metrics":""}}]}"#, .notAListing),
        (#"{"status":"success","data":[{"m":{"metrics":["a"]}}]}"#, .notAListing),
        ("404 page not found", .json(.unexpected(0x34))),
        ("<html>", .json(.unexpected(0x3C))),
        (#"{"status":"success","data":[]} x"#, .json(.unexpected(0x78))),
    ]

    @Test(arguments: refused)
    func `what is no listing is refused, wherever it is split`(text: String, error: ListingError) {
        for size in [1, 3, 1000] {
            #expect(throws: error) { try listing(text, pieces: size) }
        }
    }

    @Test func `members and types that are not known yet are passed over`() throws {
        let text = """
            {"new":[1,{"data":[]}],"status":"success","other":null,"data":[{"labels":{"job":"a"},\
            "last_push_size":1,"new_list":[{"a":1}],"new_object":{"type":"GAUGE"},"new_null":null,\
            "m":{"type":"COUNTER","metrics":[{}],"unit":{"x":"s"}},"n":{"type":"5","metrics":[]}}]}
            """
        let listing = try listing(text)
        #expect(described(listing) == [Described(labels: ["job": "a"], families: ["m": "counter"])])
        // One family was of a type that nobody knows.
        #expect(!listing.isComplete)
    }

    @Test func `a listing that ends early still tells the groups that came whole`() throws {
        let bytes = Array(Self.real.utf8)
        var counts: Set<Int> = []
        for end in 0..<bytes.count {
            var reader = GroupListingReader()
            try reader.read(bytes.span.extracting(0..<end))
            let listing = reader.abandon()
            #expect(!listing.isComplete)
            #expect(described(listing) == Array(Self.expected.prefix(listing.groupCount)))
            counts.insert(listing.groupCount)
        }
        #expect(counts == [0, 1, 2])
    }

    @Test(arguments: [
        (\ListingBounds.groupsMax, 1), (\.familiesMax, 5), (\.textBytesMax, 8), (\.labelsMax, 1),
        (\.allTextBytesMax, 40),
    ])
    func `more than fits makes a listing incomplete, not wrong`(
        bound: WritableKeyPath<ListingBounds, Int> & Sendable, value: Int
    ) throws {
        var bounds = ListingBounds()
        bounds[keyPath: bound] = value
        for size in [1, 1000] {
            let listing = try listing(Self.real, pieces: size, bounds: bounds)
            #expect(!listing.isComplete)
            for group in described(listing) {
                let whole = try #require(Self.expected.first { $0.labels == group.labels })
                #expect(group.families.allSatisfy { whole.families[$0.key] == $0.value })
            }
        }
    }

    @Test func `behind the last group that fits nothing is read`() throws {
        var bounds = ListingBounds()
        bounds.groupsMax = 1
        let text = listingText([(["job": "a"], [:]), (["job": "b"], [:])]) + "no JSON"
        let listing = try listing(text, bounds: bounds)
        #expect(described(listing).map(\.labels) == [["job": "a"]])
    }

    @Test func `bytes that were lost are told from the character that stands for them`() throws {
        let text =
            #"{"status":"success","data":[{"labels":{"job":"a\ufffdb"}},"#
            + "{\"labels\":{\"job\":\"a\u{FFFD}b\"}}]}"
        let listing = try listing(text)
        let jobs = (0..<2).map { listing.withValue(of: "job", in: $0) { Array(copying: $0) } }
        #expect(jobs == [[0x61, 0xFF, 0x62], Array("a\u{FFFD}b".utf8)])
        #expect(listing.key(of: 0) != listing.key(of: 1))
    }

    static let times: [(text: String, seconds: Double)] = [
        ("0", 0), ("1", 1), ("1.5", 1.5), ("1.7952444784769118e+09", 1795244478.4769118),
        ("1795244478.4769118", 1795244478.4769118), ("17e-1", 1.7), ("1e+11", 1e11), ("NaN", 0),
        ("+Inf", 0), ("-1", 0), ("1e+300", 0), ("1e+9999", 0), ("", 0), ("e+09", 0), ("1.2.3", 0),
        ("1e", 0), ("1e+", 0), ("99999999999999999999999", 0), ("1e+99", 0),
        ("0.00000000000000000000000000000000001", 1e-35),
    ]

    @Test(arguments: times)
    func `the time of a push is read as Go writes it`(text: String, seconds: Double) throws {
        let listing = try listing(
            #"{"status":"success","data":[{"labels":{"job":"a"},"push_time_seconds":"#
                + #"{"type":"GAUGE","metrics":[{"value":""# + text + #""}]}}]}"#)
        #expect(abs(listing.pushTime(of: 0) - seconds) <= seconds * 1e-15)
    }

    @Test func `no change of a byte makes the reader trap`() throws {
        let bytes = Array(Self.real.utf8)
        var random = SystemRandomNumberGenerator()
        let likely = Array("{}[]\",:\\u0d8\u{FF}".utf8)
        for _ in 0..<5000 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...4) {
                let place = Int.random(in: 0..<changed.count)
                switch Int.random(in: 0..<4) {
                case 0: changed.remove(at: place)
                case 1: changed.insert(likely.randomElement() ?? 0, at: place)
                case 2: changed[place] = UInt8.random(in: 0...255, using: &random)
                default: changed.replaceSubrange(place..<place, with: changed[0..<min(99, place)])
                }
            }
            guard let listing = try? listing(changed, pieces: Int.random(in: 1...500)) else {
                continue
            }
            let catalogue = FamilyCatalogue(listing)
            _ = catalogue.clash(family("h"), .gauge, in: key([:]))
            _ = described(listing)
        }
    }
}
