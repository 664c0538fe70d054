/// Every metric there is, in the order in which they are shown. Name, type and meaning stand here and
/// nowhere else; dashboards and alerts depend on them.
enum Metric: CaseIterable {
    case buildInfo
    case pushes, lastAcceptedPush, pushDuration, bodyBytes, samples, labelConflicts
    case refusals, requests
    case connections, connectionsRefused, bufferedBytes
    case handshakes, handshakeFailures, certificateEnd
    case passwordChecks, passwordQueue, rememberedLogins
    case upstreamRequests, upstreamDuration, upstreamScrape, upstreamRefused
    case turnProcessorTime
    case auditRecords, auditFailures
    case reloadSuccessful, reloadTime
    case processCPU, processOpenDescriptors, processDescriptorsMax
    case processVirtualMemory, processVirtualMemoryMax, processResidentMemory
    case processThreads, processStart

    enum Kind { case counter, gauge, histogram }

    var name: StaticString {
        switch self {
        case .buildInfo: "kanmon_build_info"
        case .pushes: "kanmon_pushes_total"
        case .lastAcceptedPush: "kanmon_last_accepted_push_timestamp_seconds"
        case .pushDuration: "kanmon_push_duration_seconds"
        case .bodyBytes: "kanmon_body_bytes_total"
        case .samples: "kanmon_samples_total"
        case .labelConflicts: "kanmon_label_conflicts_total"
        case .refusals: "kanmon_refusals_total"
        case .requests: "kanmon_http_requests_total"
        case .connections: "kanmon_connections"
        case .connectionsRefused: "kanmon_connections_refused_total"
        case .bufferedBytes: "kanmon_buffered_bytes"
        case .handshakes: "kanmon_tls_handshakes_total"
        case .handshakeFailures: "kanmon_tls_handshake_failures_total"
        case .certificateEnd: "kanmon_tls_certificate_not_after_timestamp_seconds"
        case .passwordChecks: "kanmon_password_checks_total"
        case .passwordQueue: "kanmon_password_queue_length"
        case .rememberedLogins: "kanmon_password_cache_hits_total"
        case .upstreamRequests: "kanmon_upstream_requests_total"
        case .upstreamDuration: "kanmon_upstream_request_duration_seconds"
        case .upstreamScrape: "kanmon_upstream_scrape_ok"
        case .upstreamRefused: "kanmon_upstream_refused_pushes_total"
        case .turnProcessorTime: "kanmon_loop_turn_cpu_seconds"
        case .auditRecords: "kanmon_audit_records_total"
        case .auditFailures: "kanmon_audit_failures_total"
        case .reloadSuccessful: "kanmon_config_last_reload_successful"
        case .reloadTime: "kanmon_config_last_reload_success_timestamp_seconds"
        case .processCPU: "process_cpu_seconds_total"
        case .processOpenDescriptors: "process_open_fds"
        case .processDescriptorsMax: "process_max_fds"
        case .processVirtualMemory: "process_virtual_memory_bytes"
        case .processVirtualMemoryMax: "process_virtual_memory_max_bytes"
        case .processResidentMemory: "process_resident_memory_bytes"
        case .processThreads: "process_threads"
        case .processStart: "process_start_time_seconds"
        }
    }

    var kind: Kind {
        switch self {
        case .pushDuration, .upstreamDuration, .turnProcessorTime: .histogram
        case .pushes, .bodyBytes, .samples, .labelConflicts, .refusals, .requests,
            .connectionsRefused, .handshakes, .handshakeFailures, .passwordChecks,
            .rememberedLogins, .upstreamRequests, .upstreamRefused, .auditRecords, .auditFailures,
            .processCPU:
            .counter
        default: .gauge
        }
    }

    /// One line, without a backslash.
    var help: StaticString {
        switch self {
        case .buildInfo: "What this gate was built from; always 1."
        case .pushes: "Pushes that were accepted, by the job they were for."
        case .lastAcceptedPush:
            "When a push of this job was last accepted; 0 for a job of the configuration that never was."
        case .pushDuration:
            "From the complete head of a push to its answer, accepted or not."
        case .bodyBytes: "Bytes of the bodies that were accepted, decoded."
        case .samples: "Samples that were accepted."
        case .labelConflicts:
            "Samples with a label that the Pushgateway overwrote, which label_conflicts allows."
        case .refusals: "Requests that were refused, by reason."
        case .requests: "Requests that were answered, by status and method."
        case .connections: "Connections of clients, by what they are doing."
        case .connectionsRefused: "Connections closed at once, since their address is not allowed."
        case .bufferedBytes: "What bodies in flight have set aside, of buffered_bytes_max."
        case .handshakes: "TLS handshakes that were completed, by version."
        case .handshakeFailures: "TLS handshakes that came to nothing, by reason."
        case .certificateEnd: "When the certificate in use ends."
        case .passwordChecks: "Passwords that were checked with bcrypt, by what came out."
        case .passwordQueue: "Password checks that wait for their turn."
        case .rememberedLogins: "Logins that needed no password check."
        case .upstreamRequests:
            "Requests to the Pushgateway, by its status; none where no answer came."
        case .upstreamDuration: "From a request to the Pushgateway to the end of its answer."
        case .upstreamScrape:
            "Whether the Pushgateway can be scraped; 0 once that failed twice in a row."
        case .upstreamRefused:
            "Pushes that the Pushgateway itself refused, each of which may have left an empty group."
        case .turnProcessorTime:
            "CPU time of a turn of the loop, in which nobody else is served; one turn in 32 is measured."
        default: processHelp
        }
    }

    private var processHelp: StaticString {
        switch self {
        case .auditRecords: "Records written to the audit log."
        case .auditFailures: "Attempts to write to the audit log that failed."
        case .reloadSuccessful: "Whether the configuration was good when it was last read."
        case .reloadTime: "When a configuration was last read and put in force."
        case .processCPU: "User and system time spent."
        case .processOpenDescriptors: "Open file descriptors."
        case .processDescriptorsMax: "How many file descriptors may be open."
        case .processVirtualMemory: "Size of the address space."
        case .processVirtualMemoryMax: "How large the address space may become."
        case .processResidentMemory: "Memory that is resident."
        case .processThreads: "Threads of the process."
        case .processStart: "When the process started."
        default: ""
        }
    }
}
