internal import Exposition

/// A group as a table knows it: one hash of all its labels, the job among them, in any order.
///
/// An empty value is an absent label (Prometheus data model), so a group with one has the key of the
/// group without. As with `FamilyKey`, an equal key is a reason to look closer.
package struct GroupKey: Hashable, Sendable, BitwiseCopyable {
    /// The same for the same labels, for as long as the process lives.
    package private(set) var hash: UInt64 = 0

    /// The key of no labels at all.
    package init() {}

    /// Adds a label, decoded. A name comes once.
    package mutating func insert(name: Span<UInt8>, value: Span<UInt8>) {
        guard value.count > 0 else { return }
        // Both factors hang on the process's key, so a sum of products tells sets apart, and the
        // order does not matter to a sum. To a product it would not either: hence the turn, which
        // keeps name and value from changing places.
        let value = FamilyKey(value).hash
        let turned = (value &<< 32 | value &>> 32) | 1
        let product = FamilyKey(name).hash.multipliedFullWidth(by: turned)
        hash &+= product.high ^ product.low
    }
}
