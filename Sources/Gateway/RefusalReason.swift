/// Why a request is refused, without the details of the one case: what is counted, and the word that logs
/// and metrics have for it.
extension Refusal {
    enum Reason: Int, CaseIterable, Sendable {
        case revoked, headRefused, headTooSlow, notFound, methodNotAllowed, bodyNotExpected
        case credentialsMissing, credentialsWrong, loginsTooMany, loginQueueFull
        case groupingKeyRefused, queryGiven, accessRefused, quotaExceeded, lengthMissing
        case encodingUnknown, bodyTooLarge, bodyTooDense, memoryShort, bodyTooSlow
        case bodyMalformed, gzipMalformed, bodyEmpty, bodyInvalid, familyClashes
        case upstreamUnreachable, upstreamBusy, upstreamTooLate, upstreamUnclear
        case upstreamRefused, draining, notReady

        var word: StaticString {
            switch self {
            case .revoked: "revoked"
            case .headRefused: "head_malformed"
            case .headTooSlow: "head_too_slow"
            case .notFound: "not_found"
            case .methodNotAllowed: "method_not_allowed"
            case .bodyNotExpected: "body_not_expected"
            case .credentialsMissing: "credentials_missing"
            case .credentialsWrong: "wrong_credentials"
            case .loginsTooMany: "logins_too_many"
            case .loginQueueFull: "login_queue_full"
            case .groupingKeyRefused: "grouping_key_malformed"
            case .queryGiven: "query_given"
            case .accessRefused: "access_refused"
            case .quotaExceeded: "quota_exceeded"
            case .lengthMissing: "length_missing"
            case .encodingUnknown: "encoding_unknown"
            case .bodyTooLarge: "body_too_large"
            case .bodyTooDense: "body_too_dense"
            case .memoryShort: "memory_short"
            case .bodyTooSlow: "body_too_slow"
            case .bodyMalformed: "body_malformed"
            case .gzipMalformed: "gzip_malformed"
            case .bodyEmpty: "body_empty"
            case .bodyInvalid: "body_invalid"
            case .familyClashes: "family_clashes"
            case .upstreamUnreachable: "upstream_unreachable"
            case .upstreamBusy: "upstream_busy"
            case .upstreamTooLate: "upstream_too_late"
            case .upstreamUnclear: "upstream_unclear"
            case .upstreamRefused: "upstream_refused"
            case .draining: "draining"
            case .notReady: "not_ready"
            }
        }
    }

    var reason: Reason {
        switch self {
        case .revoked: .revoked
        case .headRefused: .headRefused
        case .headTooSlow: .headTooSlow
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .bodyNotExpected: .bodyNotExpected
        case .credentialsMissing: .credentialsMissing
        case .credentialsWrong: .credentialsWrong
        case .loginsTooMany: .loginsTooMany
        case .loginQueueFull: .loginQueueFull
        case .groupingKeyRefused: .groupingKeyRefused
        case .queryGiven: .queryGiven
        case .accessRefused: .accessRefused
        case .quotaExceeded: .quotaExceeded
        case .lengthMissing: .lengthMissing
        case .encodingUnknown: .encodingUnknown
        case .bodyTooLarge: .bodyTooLarge
        case .bodyTooDense: .bodyTooDense
        case .memoryShort: .memoryShort
        case .bodyTooSlow: .bodyTooSlow
        case .bodyMalformed: .bodyMalformed
        case .gzipMalformed: .gzipMalformed
        case .bodyEmpty: .bodyEmpty
        case .bodyInvalid: .bodyInvalid
        case .familyClashes: .familyClashes
        case .upstreamUnreachable: .upstreamUnreachable
        case .upstreamBusy: .upstreamBusy
        case .upstreamTooLate: .upstreamTooLate
        case .upstreamUnclear: .upstreamUnclear
        case .upstreamRefused: .upstreamRefused
        case .draining: .draining
        case .notReady: .notReady
        }
    }
}
