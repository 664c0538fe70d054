// swift-tools-version: 6.3
import PackageDescription

/// What exposition.sh measures on our side: the package's library as others would use it.
let package = Package(
    name: "kanmon-benchmark",
    dependencies: [.package(name: "kanmon", path: "../../..")],
    targets: [
        .target(name: "CAllocations", path: "CAllocations"),
        .executableTarget(
            name: "exposition-benchmark",
            dependencies: ["CAllocations", .product(name: "Exposition", package: "kanmon")],
            path: "Benchmark",
            swiftSettings: [
                .swiftLanguageMode(.v6), .strictMemorySafety(),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ]),
    ]
)
