// swift-tools-version: 6.3
import PackageDescription

/// The differential tests alone, so that an optimised build of them builds nothing but the validator:
/// `make differential`. They are tests of the whole package too.
let package = Package(
    name: "kanmon-differential",
    dependencies: [.package(name: "kanmon", path: "../..")],
    targets: [
        .testTarget(
            name: "DifferentialTests",
            dependencies: [.product(name: "Exposition", package: "kanmon")],
            path: "DifferentialTests",
            swiftSettings: [
                .swiftLanguageMode(.v6), .strictMemorySafety(),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ])
    ]
)
