/// How much a client may ask of one connection of HTTP/2.
package struct HTTP2Limits: Equatable, Sendable {
    /// Of one request: the sum over its fields of name, value and 32 (RFC 9113 section 6.5.2), the path
    /// alone, and how many fields. A cookie in crumbs is as many fields as it has crumbs.
    package var head: HeadLimits
    /// Requests under way at once.
    package var streamsMax: Int
    package var clientResets: Allowance
    package var serverResets: Allowance
    package var glitches: Allowance

    package init(
        head: HeadLimits = HeadLimits(), streamsMax: Int = 32,
        clientResets: Allowance = Allowance(burst: 100, perSecond: 20),
        serverResets: Allowance = Allowance(burst: 50, perSecond: 5),
        glitches: Allowance = Allowance(burst: 200, perSecond: 20)
    ) {
        precondition(streamsMax > 0)
        (self.head, self.streamsMax) = (head, streamsMax)
        (self.clientResets, self.serverResets) = (clientResets, serverResets)
        self.glitches = glitches
    }

    /// Bytes of bodies that a client may send before any of them were taken, on one stream and on all
    /// together: RFC 9113 begins with this, so that nothing has to be said about it.
    static let windowBytes = 65_535
    /// The same for all streams of a client that has logged in.
    static let trustedWindowBytes = 256 << 10
    /// What one answer to control frames may wait for another; beyond that the client does not read.
    static let queuedAcknowledgementsMax = 32
    static let queuedFramesMax = 256
    /// Streams beyond `streamsMax` that are refused without reproach: clients begin with a hundred, some
    /// with a thousand, before they know how many they may.
    static let refusalsMax = 1000
    /// Answers for which a client may still say that it has room again.
    static let expectedUpdatesMax = 256
    /// Entries of one SETTINGS frame, and CONTINUATION frames of one header section.
    static let settingsMax = 32
    static let continuationsMax = 8
    /// What our answers may be compressed against. All that repeats in them fits.
    static let encoderTableBytes = 256
    /// A header section that is this many times too large is not read to its end.
    static let patience = 4
}
