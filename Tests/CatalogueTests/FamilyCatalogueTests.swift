import Exposition
import Testing

@testable import Catalogue

@Suite struct FamilyCatalogueTests {
    private func catalogue(
        _ groups: [(labels: [String: String], families: [String: String])]
    ) throws -> FamilyCatalogue {
        FamilyCatalogue(try listing(listingText(groups)))
    }

    @Test func `a group's key is that of its labels, in any order, without the empty ones`() {
        let labels = ["job": "a", "instance": "b", "x": "y"]
        for _ in 0..<10 { #expect(key(labels) == key(labels)) }
        #expect(key(["job": "a", "instance": ""]) == key(["job": "a"]))
        let others = [
            ["job": "b", "instance": "a"], ["job": "a", "b": "instance"], ["job": "ab"],
            ["job": "a"], ["jo": "ba"], [:], ["job": "a", "instance": "b", "y": "x"],
        ]
        #expect(Set(others.map(key) + [key(labels)]).count == others.count + 1)
        // Which bits a key has is chance, so a few more of what went wrong once.
        for number in 0..<100 {
            #expect(key(["a\(number)": "b\(number)"]) != key(["b\(number)": "a\(number)"]))
        }
    }

    @Test func `a family's key tells names apart`() {
        let names = ["", "a", "aa", "a\u{0}", "\u{0}", "b", "abcdefgh", "abcdefg", "abcdefgh\u{0}"]
        #expect(Set(names.map(family)).count == names.count)
        #expect(family("abcdefghi") == family("abcdefghi"))
    }

    @Test func `a family that another group has with another type clashes`() throws {
        let catalogue = try catalogue([
            (["job": "a"], ["m": "GAUGE", "push_time_seconds": "GAUGE"]),
            (["job": "b", "x": ""], ["m": "GAUGE", "n": "COUNTER"]),
        ])
        let (a, b, new) = (key(["job": "a"]), key(["job": "b"]), key(["job": "c"]))
        #expect(catalogue.clash(family("m"), .gauge, in: new) == nil)
        #expect(catalogue.clash(family("m"), .counter, in: new)?.type == .gauge)
        #expect(catalogue.clash(family("m"), .counter, in: a)?.holder == .listed(1))
        #expect(catalogue.clash(family("m"), .counter, in: b)?.holder == .listed(0))
        #expect(catalogue.clash(family("n"), .gauge, in: b) == nil)
        #expect(catalogue.clash(family("n"), .gauge, in: a)?.holder == .listed(1))
        #expect(catalogue.clash(family("unknown"), .gauge, in: a) == nil)
        // No push may have it, and every group has it.
        #expect(catalogue.clash(family("push_time_seconds"), .counter, in: a) == nil)
    }

    @Test func `nothing clashes with an empty catalogue`() {
        #expect(FamilyCatalogue().clash(family("m"), .gauge, in: key([:])) == nil)
    }

    @Test func `a clash is found whatever the types and however many groups`() throws {
        let types = ["COUNTER", "GAUGE", "SUMMARY", "UNTYPED", "HISTOGRAM", "GAUGE_HISTOGRAM"]
        for _ in 0..<50 {
            let groups = (0..<Int.random(in: 1...40)).map { number in
                (
                    labels: ["job": "\(number)"],
                    families: ["m": types.prefix(Int.random(in: 1...6)).randomElement() ?? ""]
                )
            }
            let catalogue = try catalogue(groups)
            for asked in FamilyType.all {
                for job in ["0", "7", "none"] {
                    let others = groups.filter { $0.labels["job"] != job }
                        .filter { $0.families["m"] != types[Int(asked.rawValue)] }
                    let clash = catalogue.clash(family("m"), asked, in: key(["job": job]))
                    #expect((clash == nil) == others.isEmpty)
                    guard let clash, case .listed(let number) = clash.holder else { continue }
                    #expect(groups[number].labels["job"] != job)
                    #expect(groups[number].families["m"] == types[Int(clash.type.rawValue)])
                    #expect(clash.type != asked)
                }
            }
        }
    }
}

@Suite struct LearnedFamiliesTests {
    private let a = key(["job": "a"])
    private let b = key(["job": "b"])
    private let c = key(["job": "c"])
    private let m = family("m")

    /// Group a holds m as a gauge and n as a counter.
    private func catalogue() throws -> FamilyCatalogue {
        FamilyCatalogue(
            try listing(listingText([(["job": "a"], ["m": "GAUGE", "n": "COUNTER"])])))
    }

    @Test func `a family that nobody had is learned`() throws {
        let catalogue = try catalogue()
        var learned = LearnedFamilies()
        #expect(learned.clash(family("new"), .gauge, in: b, catalogue: catalogue) == nil)
        let claims = [FamilyClaim(family("new"), .counter)]
        learned.passed(claims.span, in: c, replacing: true, catalogue: catalogue)
        let clash = learned.clash(family("new"), .gauge, in: b, catalogue: catalogue)
        #expect(clash == Clash(type: .counter, holder: .learned(c)))
        #expect(learned.clash(family("new"), .counter, in: b, catalogue: catalogue) == nil)
        #expect(learned.clash(family("new"), .gauge, in: c, catalogue: catalogue) == nil)
    }

    @Test func `what the catalogue says already is not learned`() throws {
        let catalogue = try catalogue()
        var learned = LearnedFamilies()
        let all = [FamilyClaim(m, .gauge), FamilyClaim(family("n"), .counter)]
        for replacing in [true, false] {
            learned.passed(all.span, in: a, replacing: replacing, catalogue: catalogue)
            learned.passed(all.span, in: b, replacing: replacing, catalogue: catalogue)
        }
        #expect(learned.count == 0)
        #expect(learned.clash(m, .counter, in: c, catalogue: catalogue)?.holder == .listed(0))
    }

    @Test(arguments: [true, false])
    func `a push with another type overrides the catalogue`(replacing: Bool) throws {
        let catalogue = try catalogue()
        var learned = LearnedFamilies()
        let claims = [FamilyClaim(m, .counter)]
        learned.passed(claims.span, in: a, replacing: replacing, catalogue: catalogue)
        #expect(learned.clash(m, .counter, in: b, catalogue: catalogue) == nil)
        let clash = learned.clash(m, .gauge, in: b, catalogue: catalogue)
        #expect(clash == Clash(type: .counter, holder: .learned(a)))
        // A POST leaves the group's other family, a PUT does not.
        let other = learned.clash(family("n"), .gauge, in: b, catalogue: catalogue)
        #expect((other == nil) == replacing)
    }

    @Test func `a group that is deleted holds nothing any more`() throws {
        let catalogue = try catalogue()
        var learned = LearnedFamilies()
        let claims = [FamilyClaim(family("new"), .counter)]
        learned.passed(claims.span, in: a, replacing: false, catalogue: catalogue)
        learned.deleted(a, catalogue: catalogue)
        for (name, type) in [("m", FamilyType.counter), ("n", .gauge), ("new", .gauge)] {
            #expect(learned.clash(family(name), type, in: b, catalogue: catalogue) == nil)
        }
        learned.passed(claims.span, in: a, replacing: false, catalogue: catalogue)
        #expect(learned.clash(family("new"), .gauge, in: b, catalogue: catalogue) != nil)
        #expect(learned.clash(m, .counter, in: b, catalogue: catalogue) == nil)
    }

    @Test func `a PUT takes away what it does not have`() throws {
        let catalogue = try catalogue()
        var learned = LearnedFamilies()
        let first = [FamilyClaim(family("x"), .counter), FamilyClaim(family("y"), .counter)]
        let second = [FamilyClaim(family("y"), .counter)]
        for group in [a, b] {
            learned.passed(first.span, in: group, replacing: true, catalogue: catalogue)
            #expect(learned.clash(family("x"), .gauge, in: c, catalogue: catalogue) != nil)
            learned.passed(second.span, in: group, replacing: true, catalogue: catalogue)
            #expect(learned.clash(family("x"), .gauge, in: c, catalogue: catalogue) == nil)
            #expect(learned.clash(family("y"), .gauge, in: c, catalogue: catalogue) != nil)
        }
        #expect(learned.clash(m, .counter, in: c, catalogue: catalogue) == nil)
    }

    @Test func `a new catalogue ends what was learned before it was asked for`() throws {
        let catalogue = try catalogue()
        var learned = LearnedFamilies()
        let old = [FamilyClaim(family("old"), .counter)]
        let new = [FamilyClaim(family("new"), .counter)]
        learned.passed(old.span, in: b, replacing: true, catalogue: catalogue)
        learned.deleted(a, catalogue: catalogue)
        let mark = learned.mark
        learned.passed(new.span, in: c, replacing: true, catalogue: catalogue)
        learned.forget(before: mark)
        #expect(learned.count == 1)
        #expect(learned.clash(family("old"), .gauge, in: c, catalogue: catalogue) == nil)
        #expect(learned.clash(family("new"), .gauge, in: b, catalogue: catalogue) != nil)
        // The catalogue is taken for the new one: what it says of the deleted group is news.
        #expect(learned.clash(m, .counter, in: b, catalogue: catalogue) != nil)
        learned.forget(before: learned.mark)
        #expect(learned.count == 0)
    }

    @Test func `what is learned has a bound`() throws {
        let catalogue = FamilyCatalogue()
        var learned = LearnedFamilies(entriesMax: 64)
        for number in 0..<5000 {
            let claims = [FamilyClaim(family("f\(number)"), .counter), FamilyClaim(m, .gauge)]
            let group = key(["job": "\(number)"])
            learned.passed(claims.span, in: group, replacing: true, catalogue: catalogue)
            #expect(learned.count <= 64)
            let clash = learned.clash(family("f\(number)"), .gauge, in: c, catalogue: catalogue)
            #expect(clash != nil)
            #expect(learned.clash(m, .counter, in: c, catalogue: catalogue) != nil)
        }
    }
}
