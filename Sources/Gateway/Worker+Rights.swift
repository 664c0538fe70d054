import Admission
import Bytes
import Configuration
import HTTP
import Reactor

/// Who may push what, and how much of it.
extension Worker {
    /// May this user do this to this group, from this address?
    func objection(to exchange: Exchange, from address: IPAddress) -> Refusal? {
        let access = exchange.snapshot.rights.access
        let method = AccessRules.Method(exchange.method)
        return refusal(
            access.decide(exchange.user.span, method, exchange.key, from: address), of: exchange)
    }

    /// A PUT without a sample deletes what its group holds. May this user do that?
    func objection(toEmptyPutOf exchange: Exchange) -> Refusal? {
        let access = exchange.snapshot.rights.access
        return refusal(access.mayDelete(exchange.user.span), of: exchange)
    }

    private func refusal(_ decision: AccessRules.Decision, of exchange: Exchange) -> Refusal? {
        guard let refusal = decision.refusal else { return nil }
        exchange.rule = decision.place
        return .accessRefused(refusal)
    }

    /// Charges the push to its user's quotas. Nil when it may go on.
    mutating func charge(_ exchange: Exchange) -> Refusal? {
        let rights = exchange.snapshot.rights
        if rights.areUnlimited { return nil }
        if let limit = rights.access.entry(of: exchange.user.span)?.limits.seriesMax,
            exchange.samples > limit.value
        {
            exchange.rule = limit.place
            return .quotaExceeded(.series, retryAfterSeconds: nil)
        }
        let purpose: Quotas.Purpose = exchange.method == .delete ? .delete : .store
        let verdict = rights.quotas.check(
            exchange.user.span, exchange.key, for: purpose, bytes: exchange.body.count,
            at: now.nanoseconds)
        switch verdict {
        case .granted(let charge):
            exchange.charge = charge
            return nil
        case .exceeded(let kind, let seconds, let place):
            exchange.rule = place
            return .quotaExceeded(
                QuotaKind(kind, isEver: seconds == nil), retryAfterSeconds: seconds)
        }
    }

    /// Gives back what was charged when the Pushgateway never heard of the push. One that it refused
    /// may have left an empty group there, and so may one that nobody knows the end of.
    mutating func settle(_ exchange: Exchange) {
        guard let charge = exchange.charge else { return }
        exchange.charge = nil
        let isDeleted = exchange.method == .delete && exchange.refusal == nil
        let outcome: Quotas.Outcome =
            !exchange.isSent ? .refused : isDeleted ? .deleted : .stored
        exchange.snapshot.rights.quotas.settle(charge, as: outcome, at: now.nanoseconds)
    }
}

extension AccessRules.Method {
    /// What a push of this method does to its group; the route lets no others through.
    init(_ method: HTTP.Method) {
        switch method {
        case .post: self = .post
        case .put: self = .put
        default: self = .delete
        }
    }
}

/// Which quota a push would exceed.
enum QuotaKind: Equatable {
    case pushes, bytes, wholeMinute, groups, series

    /// - Parameter isEver: waiting does not help.
    fileprivate init(_ kind: Quotas.Kind, isEver: Bool) {
        switch kind {
        case .pushes: self = .pushes
        case .bytes: self = isEver ? .wholeMinute : .bytes
        case .groups: self = .groups
        }
    }

    var sentence: StaticString {
        switch self {
        case .pushes: "this user has used up his pushes of this minute (pushes_per_minute)"
        case .bytes: "this push is more than is left of this user's minute (bytes_per_minute)"
        case .wholeMinute:
            "this push is larger than all that this user may push in a minute (bytes_per_minute)"
        case .groups:
            "this user has as many groups as he may (groups_max); one that is not needed has to be deleted"
        case .series: "this push has more series than this user may push at once (series_max)"
        }
    }
}
