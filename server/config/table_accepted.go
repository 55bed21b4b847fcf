package config

import (
	"strconv"
)

func tls() []Setting {
	return []Setting{
		number("tls-port", "0", 0, 65535, "TCP port of TLS clients; 0 is none.").flag(Accepted),
		yesno("tls-cluster", "no", "TLS on the bus.").flag(Accepted),
		yesno("tls-replication", "no", "TLS to the primary.").flag(Accepted),
		choice("tls-auth-clients", "yes", []string{"no", "yes", "optional"}, "Ask clients for a certificate.").flag(Accepted),
		yesno("tls-prefer-server-ciphers", "no", "Order of ciphers.").flag(Accepted),
		yesno("tls-session-caching", "yes", "Resume sessions.").flag(Accepted),
		number("tls-session-cache-size", "20480", 0, maxInt, "Sessions kept.").flag(Accepted),
		number("tls-session-cache-timeout", "300", 0, maxInt, "Seconds they are kept.").flag(Accepted),
		plainText("tls-cert-file", "", "Certificate.").flag(Accepted),
		plainText("tls-key-file", "", "Key of the certificate.").flag(Accepted),
		plainText("tls-key-file-pass", "", "Password of the key.").flag(Accepted | Secret),
		plainText("tls-client-cert-file", "", "Certificate for outgoing connections.").flag(Accepted),
		plainText("tls-client-key-file", "", "Key for outgoing connections.").flag(Accepted),
		plainText("tls-client-key-file-pass", "", "Password of that key.").flag(Accepted | Secret),
		plainText("tls-dh-params-file", "", "Diffie-Hellman parameters.").flag(Accepted),
		plainText("tls-ca-cert-file", "", "Certificates of authorities.").flag(Accepted),
		plainText("tls-ca-cert-dir", "", "Directory of certificates of authorities.").flag(Accepted),
		plainText("tls-protocols", "", "Protocol versions.").flag(Accepted),
		plainText("tls-ciphers", "", "Ciphers of TLS 1.2.").flag(Accepted),
		plainText("tls-ciphersuites", "", "Ciphers of TLS 1.3.").flag(Accepted),
	}
}

// accepted are directives about parts of Redis that have no counterpart here:
// its forked children, its allocator, its files. They are checked and kept, so
// that a config file and CONFIG GET/SET work, and change nothing.
func accepted() []Setting {
	all := []Setting{
		yesno("daemonize", "no", "The server stays in the foreground.").flag(Immutable),
		choice("supervised", "no", []string{"no", "auto", "systemd", "upstart"}, "Supervisor that is told of readiness.").flag(Immutable),
		yesno("always-show-logo", "no", "Print a logo.").flag(Immutable),
		yesno("set-proc-title", "yes", "Change the process title.").flag(Immutable),
		plainText("proc-title-template", "{title} {listen-addr} {server-mode}", "Form of the process title."),
		yesno("syslog-enabled", "no", "Log to syslog.").flag(Immutable),
		plainText("syslog-ident", "redis", "Name in syslog.").flag(Immutable),
		choice("syslog-facility", "local0", []string{"user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}, "Facility in syslog.").flag(Immutable),
		yesno("crash-log-enabled", "yes", "Print a report at a crash."),
		yesno("crash-memcheck-enabled", "yes", "Test the memory at a crash."),
		number("io-threads", "1", 1, 128, "Threads for sockets.").flag(Immutable),
		yesno("io-threads-do-reads", "no", "Threads read as well.").flag(Immutable),
		yesno("dynamic-hz", "yes", "Adapt hz to the number of clients."),
		number("socket-mark-id", "0", 0, 4294967295, "Mark of sockets.").flag(Immutable),
		plainText("server_cpulist", "", "CPUs of the server.").flag(Immutable),
		plainText("bio_cpulist", "", "CPUs of background threads.").flag(Immutable),
		plainText("aof_rewrite_cpulist", "", "CPUs of the rewriting child.").flag(Immutable),
		plainText("bgsave_cpulist", "", "CPUs of the saving child.").flag(Immutable),
		plainText("ignore-warnings", "", "Kernel warnings not to die of.").flag(Immutable),
		choice("oom-score-adj", "no", []string{"no", "yes", "relative", "absolute"}, "Adapt the kernel's choice of whom to kill."),
		wordList("oom-score-adj-values", "0 200 800", "Values for it.").check(checkOOMScores),
		yesno("disable-thp", "yes", "Turn transparent huge pages off.").flag(Immutable),
		yesno("jemalloc-bg-thread", "yes", "Allocator's thread."),
		yesno("activerehashing", "yes", "Rehash tables in the background."),
		yesno("activedefrag", "no", "Defragment memory."),
		memory("active-defrag-ignore-bytes", "104857600", 1, "Defragmentation."),
		number("active-defrag-threshold-lower", "10", 0, 1000, "Defragmentation."),
		number("active-defrag-threshold-upper", "100", 0, 1000, "Defragmentation."),
		number("active-defrag-cycle-min", "1", 1, 99, "Defragmentation."),
		number("active-defrag-cycle-max", "25", 1, 99, "Defragmentation."),
		number("active-defrag-max-scan-fields", "1000", 1, maxInt64, "Defragmentation."),
		number("maxmemory-eviction-tenacity", "10", 0, 100, "Effort of one round of eviction."),
		yesno("lazyfree-lazy-eviction", "no", "Deletes are always in the background."),
		yesno("lazyfree-lazy-expire", "no", "Deletes are always in the background."),
		yesno("lazyfree-lazy-server-del", "no", "Deletes are always in the background."),
		yesno("lazyfree-lazy-user-del", "no", "Deletes are always in the background."),
		yesno("lazyfree-lazy-user-flush", "no", "Deletes are always in the background."),
		yesno("rdbcompression", "yes", "Compress RDB files."),
		yesno("rdbchecksum", "yes", "Checksum RDB files.").flag(Immutable),
		yesno("rdb-del-sync-files", "no", "Remove RDB files of full copies."),
		yesno("rdb-save-incremental-fsync", "yes", "Sync RDB files in steps."),
		plainText("appendfilename", "appendonly.aof", "Name of Redis's append only file.").flag(Immutable).check(checkFileName("appendfilename can't be a path, just a filename")),
		plainText("appenddirname", "appendonlydir", "Directory of Redis's append only files.").flag(Immutable).check(checkFileName("appenddirname can't be a path, just a dirname")),
		yesno("no-appendfsync-on-rewrite", "no", "There is no rewrite."),
		number("auto-aof-rewrite-percentage", "100", 0, maxInt, "There is no rewrite."),
		memory("auto-aof-rewrite-min-size", "67108864", 0, "There is no rewrite."),
		yesno("aof-load-truncated", "yes", "A torn end of the log is always cut off."),
		yesno("aof-use-rdb-preamble", "yes", "There is no rewrite."),
		yesno("aof-timestamp-enabled", "no", "Log records always carry their time."),
		yesno("aof-rewrite-incremental-fsync", "yes", "There is no rewrite."),
		yesno("aof-disable-auto-gc", "no", "Keep old append only files.").flag(Hidden),
		plainText("locale-collate", "", "Locale of string comparison."),
		number("watchdog-period", "0", 0, maxInt, "Software watchdog.").flag(Hidden),
		number("rdb-key-save-delay", "0", -maxInt, maxInt, "Slow snapshots down, for tests.").flag(Hidden),
		number("key-load-delay", "0", -maxInt, maxInt, "Slow loading down, for tests.").flag(Hidden),
		memory("loading-process-events-interval-bytes", "2097152", 1024, "Serve clients while loading.").flag(Hidden),
		yesno("lua-enable-deprecated-api", "no", "Old API of scripts.").flag(Hidden | Immutable),
		yesno("use-exit-on-panic", "no", "Exit instead of aborting.").flag(Hidden),
	}
	for i := range all {
		all[i].Flags |= Accepted
	}
	return all
}

func checkOOMScores(in []string) error {
	v := parseWords(in)
	if len(v.Words) != 3 {
		return errWords
	}
	for _, word := range v.Words {
		n, err := strconv.Atoi(word)
		if err != nil || n < -2000 || n > 2000 {
			return Refusal("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
		}
	}
	return nil
}
