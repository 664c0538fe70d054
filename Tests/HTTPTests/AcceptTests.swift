import Testing

@testable import HTTP

@Suite struct AcceptTests {
    private func prefersJSON(_ value: String) -> Bool {
        let bytes = Array(value.utf8)
        return Accept.prefersJSON(bytes.span)
    }

    @Test(arguments: [
        "application/json", "application/problem+json", "APPLICATION/JSON",
        "application/json, */*", "text/html, application/problem+json;q=0.9, text/plain;q=0.8",
        "application/json;charset=utf-8;q=0.5", "application/*", "application/json, text/*;q=0.1",
        "application/json;q=1.000, text/plain;q=0.999", " application/json ,text/plain ; q=0",
    ])
    func `JSON is what is named and not wanted less than text`(value: String) {
        #expect(prefersJSON(value))
    }

    @Test(arguments: [
        "", "*/*", "text/plain", "text/plain, application/json", "application/json;q=0",
        "application/json;q=0.4, text/plain;q=0.5", "text/html", "application/xml",
        "application/jsonx", ",,;q=1,", "application/json;q=0.000", "*/*;q=0.1",
        "application/json;q=0.1, */*",
    ])
    func `everybody else gets text`(value: String) { #expect(!prefersJSON(value)) }
}
