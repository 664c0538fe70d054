extension OwnFamily {
    /// What Pushgateway 1.5.1 to 1.11 export about themselves. The Go runtime adds families from
    /// version to version; this is what all of them together have.
    public static let ofPushgateway: [OwnFamily] =
        gauges.map { OwnFamily($0, .gauge) }
        + counters.map { OwnFamily($0, .counter) }
        + [
            OwnFamily("go_gc_duration_seconds", .summary),
            OwnFamily(
                "pushgateway_http_push_duration_seconds", .summary,
                help: "HTTP request duration for pushes to the Pushgateway."),
            OwnFamily(
                "pushgateway_http_push_size_bytes", .summary,
                help: "HTTP request size for pushes to the Pushgateway."),
            OwnFamily(
                "pushgateway_http_requests_total", .counter,
                help: "Total HTTP requests processed by the Pushgateway, excluding scrapes."),
        ]

    private static let gauges = [
        "go_gc_gogc_percent", "go_gc_gomemlimit_bytes", "go_goroutines", "go_info",
        "go_memstats_alloc_bytes", "go_memstats_buck_hash_sys_bytes", "go_memstats_gc_sys_bytes",
        "go_memstats_heap_alloc_bytes", "go_memstats_heap_idle_bytes",
        "go_memstats_heap_inuse_bytes", "go_memstats_heap_objects",
        "go_memstats_heap_released_bytes", "go_memstats_heap_sys_bytes",
        "go_memstats_last_gc_time_seconds", "go_memstats_mcache_inuse_bytes",
        "go_memstats_mcache_sys_bytes", "go_memstats_mspan_inuse_bytes",
        "go_memstats_mspan_sys_bytes", "go_memstats_next_gc_bytes", "go_memstats_other_sys_bytes",
        "go_memstats_stack_inuse_bytes", "go_memstats_stack_sys_bytes", "go_memstats_sys_bytes",
        "go_sched_gomaxprocs_threads", "go_threads", "process_max_fds", "process_open_fds",
        "process_resident_memory_bytes", "process_start_time_seconds",
        "process_virtual_memory_bytes", "process_virtual_memory_max_bytes",
        "pushgateway_build_info",
    ]

    private static let counters = [
        "go_memstats_alloc_bytes_total", "go_memstats_frees_total", "go_memstats_lookups_total",
        "go_memstats_mallocs_total", "process_cpu_seconds_total",
        "process_network_receive_bytes_total", "process_network_transmit_bytes_total",
    ]
}

/// The Pushgateway's own families, ready to be looked up by a name in a body.
struct OwnFamilies: ~Copyable, Sendable {
    let families: [OwnFamily]
    private var names: [[UInt8]] = []
    private var index = HashIndex()
    private let hash = KeyedHash.ofProcess
    /// Whether one of them has a name such as parts have.
    private(set) var hasPartNames = false

    init(_ families: [OwnFamily]) {
        self.families = families
        for family in families.prefix(HashIndex.recordsMax) {
            let name = Array(family.name.utf8)
            let hash = hash(name.span, 0..<name.count)
            var slot = index.firstSlot(of: hash)
            while index.entry(in: slot) != 0 { slot = index.slot(after: slot) }
            index.insert(names.count, hash: hash, in: slot)
            names.append(name)
            let whole = 0..<name.count
            if NameAsPart(Name(whole, hash: hash), in: name.span) != nil { hasPartNames = true }
        }
    }

    /// The number of the family that has this name.
    @inline(__always)
    func number(of name: Name, in body: Span<UInt8>) -> Int? {
        var slot = index.firstSlot(of: name.hash)
        while index.entry(in: slot) != 0 {
            let entry = index.entry(in: slot)
            let number = HashIndex.record(of: entry)
            if HashIndex.matches(entry, name.hash), isName(number, name, in: body) { return number }
            slot = index.slot(after: slot)
        }
        return nil
    }

    @inline(never)
    private func isName(_ number: Int, _ name: Name, in body: Span<UInt8>) -> Bool {
        let text = names[number]
        return name.isEqual(text.span, in: body)
    }

    /// Whether the name is one that the count, sum or buckets of such a family have.
    func have(_ asPart: NameAsPart, in body: Span<UInt8>) -> Bool {
        guard let number = number(of: asPart.whole(hash, in: body), in: body) else { return false }
        return families[number].type.has(asPart.part)
    }

    /// Whether there is a family of this name.
    func has(_ name: Span<UInt8>) -> Bool {
        number(of: Name(0..<name.count, hash: hash(name, 0..<name.count)), in: name) != nil
    }
}
