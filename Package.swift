// swift-tools-version: 6.3
import PackageDescription

/// Our own checks set KANMON_STRICT; someone who builds a release with a newer compiler is never
/// stopped by a warning that this compiler did not know.
let isStrict = Context.environment["KANMON_STRICT"] != nil

let common: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .strictMemorySafety(),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (isStrict ? [.treatAllWarnings(as: .error)] : [])

/// The modules a push passes through: no boxed existentials and no untyped `throws`.
let dataPath: [SwiftSetting] =
    common
    + (isStrict
        ? [
            .treatWarning("ExistentialType", as: .error),
            .treatWarning("EmbeddedRestrictions", as: .error),
        ] : [])

/// Where there are objects on a push's way. A release does not watch at run time that none is changed
/// while it is being changed, which would be a seventh of its work; the tests run in a debug build,
/// which does.
let dataPathOfObjects =
    dataPath
    + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

/// What `kanmon --version` says it was built from.
let revision: [SwiftSetting] =
    Context.gitInformation.map { git in
        let text = git.currentCommit.prefix(12) + (git.hasUncommittedChanges ? "+" : "")
        return [.unsafeFlags(["-Xcc", "-DKANMON_REVISION=\"\(text)\""])]
    } ?? []

/// Programs that link libFuzzer, which an ordinary build must not: `make fuzz` sets KANMON_FUZZ. They
/// are part of this package since most of what they try is seen by nobody outside of it.
let fuzzing: [Target] =
    Context.environment["KANMON_FUZZ"] == nil
    ? []
    : [
        .systemLibrary(name: "CLibFuzzer", path: "Tests/Fuzz/CLibFuzzer"),
        .target(
            name: "Fuzzing", dependencies: ["CLibFuzzer", "Exposition"],
            path: "Tests/Fuzz/Fuzzing", swiftSettings: common),
        fuzzer("Text", of: ["Exposition"]),
        fuzzer("Precedent", of: ["Exposition"]),
        fuzzer("Protobuf", of: ["Exposition"]),
        fuzzer("Gzip", of: ["Gzip", "Bytes", "CZlib"]),
        fuzzer("Head", of: ["HTTP", "Bytes"]),
        fuzzer("Chunks", of: ["HTTP", "Bytes"]),
        fuzzer("Response", of: ["HTTP"]),
        fuzzer("HTTP2", of: ["HTTP", "Bytes"]),
        fuzzer("Path", of: ["Admission", "Bytes"]),
        fuzzer("Authorization", of: ["Admission", "Bytes"]),
        fuzzer("Users", of: ["Admission", "Bytes"]),
        fuzzer("Networks", of: ["Admission", "Bytes"]),
        fuzzer("Configuration", of: ["Configuration"]),
        fuzzer("Watchdog", of: ["Operations", "Configuration", "Reactor", "Bytes"]),
    ]

func fuzzer(_ name: String, of dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: "fuzz-\(name.lowercased())", dependencies: ["Fuzzing"] + dependencies,
        path: "Tests/Fuzz/\(name)", swiftSettings: common,
        linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])])
}

let package = Package(
    name: "kanmon",
    products: [
        .executable(name: "kanmon", targets: ["kanmon"]),
        .executable(name: "kanmon-ops", targets: ["kanmon-ops"]),
        .library(name: "Exposition", targets: ["Exposition"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CVector"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CCrypt", pkgConfig: "libcrypt", providers: [.apt(["libcrypt-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),

        .target(
            name: "Bytes",
            swiftSettings: dataPath + [.enableExperimentalFeature("Lifetimes")]),
        .target(name: "Exposition", dependencies: ["CVector"], swiftSettings: dataPath),
        .target(
            name: "Catalogue", dependencies: ["Bytes", "Exposition"], swiftSettings: dataPath),
        .target(name: "Gzip", dependencies: ["Bytes", "CZlib"], swiftSettings: dataPath),
        .target(
            name: "HTTP", dependencies: ["Bytes", "CNghttp2"], swiftSettings: dataPathOfObjects),
        .target(name: "Admission", dependencies: ["Bytes", "CCrypt"], swiftSettings: dataPath),
        .target(
            name: "Configuration", dependencies: ["Bytes", "CYAML"],
            swiftSettings: common),
        .target(name: "Reactor", dependencies: ["Bytes", "CLinux"], swiftSettings: dataPath),
        .target(
            name: "TLS", dependencies: ["Bytes", "Reactor", "COpenSSL"], swiftSettings: dataPath),
        .target(
            name: "Gateway",
            dependencies: [
                "Bytes", "Reactor", "TLS", "HTTP", "Gzip", "Admission", "Exposition",
                "Catalogue", "Configuration",
            ],
            swiftSettings: dataPathOfObjects),
        .systemLibrary(name: "CRevision"),
        .target(
            name: "Console",
            dependencies: [
                "CRevision", "Configuration", "Bytes",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: common + revision),
        .target(
            name: "Operations",
            dependencies: ["Configuration", "Console", "Reactor", "Bytes"],
            swiftSettings: common),
        .executableTarget(
            name: "kanmon",
            dependencies: [
                "Gateway", "HTTP", "Configuration", "Admission", "Catalogue", "Exposition", "TLS",
                "Reactor", "Bytes", "Console",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: common),
        .executableTarget(
            name: "kanmon-ops",
            dependencies: [
                "Operations", "Configuration", "Console", "Reactor", "Bytes",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: common),

        .testTarget(name: "BytesTests", dependencies: ["Bytes"], swiftSettings: common),
        .testTarget(name: "ExpositionTests", dependencies: ["Exposition"], swiftSettings: common),
        .testTarget(
            name: "CatalogueTests", dependencies: ["Catalogue", "Exposition", "Bytes"],
            swiftSettings: common),
        .testTarget(
            name: "GzipTests", dependencies: ["Gzip", "CZlib", "Bytes"], swiftSettings: common),
        .testTarget(name: "HTTPTests", dependencies: ["HTTP", "Bytes"], swiftSettings: common),
        .testTarget(
            name: "AdmissionTests", dependencies: ["Admission", "Bytes"], swiftSettings: common),
        .testTarget(
            name: "ConfigurationTests", dependencies: ["Configuration", "Bytes"],
            swiftSettings: common),
        .testTarget(
            name: "ReactorTests", dependencies: ["Reactor", "Bytes"], swiftSettings: common),
        .testTarget(
            name: "TLSTests", dependencies: ["TLS", "Reactor", "Bytes"], swiftSettings: common),
        .testTarget(
            name: "GatewayTests",
            dependencies: ["Gateway", "Configuration", "HTTP", "Reactor", "Bytes"],
            swiftSettings: common),
        .testTarget(
            name: "OperationsTests",
            dependencies: ["Operations", "Configuration", "Reactor", "Bytes"],
            swiftSettings: common),
        .testTarget(
            name: "JourneyTests", dependencies: ["kanmon", "TLS", "Reactor", "Bytes"],
            swiftSettings: common),
        .testTarget(
            name: "DifferentialTests", dependencies: ["Exposition"],
            path: "Tests/Differential/DifferentialTests", swiftSettings: common),
        .testTarget(
            name: "PackagingTests", dependencies: ["kanmon", "kanmon-ops"], swiftSettings: common),
        .testTarget(name: "TidyTests", swiftSettings: common),
    ] + fuzzing
)
