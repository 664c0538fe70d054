import Bytes
import Testing

@testable import Catalogue

@Suite struct JSONValueTests {
    private func value(_ text: String) throws(JSONError) -> JSONValue {
        let bytes = Array(text.utf8)
        return try JSONValue(parsing: bytes.span)
    }

    @Test func `an answer of a Prometheus is what it says`() throws {
        let answer = try value(
            """
            {"status":"success","data":{"resultType":"vector","result":[
              {"metric":{"job":"x\\u00e9"},"value":[1784.5,"1e3"]}, {}, [], null, true]}}
            """)
        let result = answer["data"]?["result"]?.elements ?? []
        #expect(answer["status"]?.text == "success")
        #expect(result.count == 5)
        #expect(result[0]["metric"]?["job"] == .string("xé"))
        #expect(result[0]["value"] == .array([.number(1784.5), .string("1e3")]))
        #expect(result[1] == .object([]) && result[2] == .array([]))
        #expect(result[3] == .null && result[4] == .bool(true))
        #expect(answer["none"] == nil && answer["status"]?["none"] == nil)
        #expect(answer["status"]?.number == nil && answer.text == nil)
    }

    @Test(arguments: [
        "", "{", "[1", "{\"a\"", "{\"a\":", "[1,", "[] []", "{} x", "[1e]", "nul", "1",
    ])
    func `what is cut or no JSON is an error`(text: String) {
        #expect(throws: JSONError.self) { try value(text) }
    }

    @Test func `brackets without an end are not followed`() {
        #expect(throws: JSONError.tooDeep) {
            try value(String(repeating: "[", count: 100_000))
        }
    }
}
