package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// header says what was measured, where and how.
func header(s *settings) (string, error) {
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", err
	}
	memory, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return "", err
	}
	gib := 0
	if fields := strings.Fields(string(memory)); len(fields) > 1 {
		kib, _ := strconv.Atoi(fields[1])
		gib = (kib + 1<<19) >> 20
	}
	commit, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	versions := ""
	for _, binary := range []string{s.redis, s.valkey} {
		if binary == "" {
			continue
		}
		text, err := exec.Command(binary, "--version").Output()
		if err != nil {
			return "", err
		}
		for _, word := range strings.Fields(string(text)) {
			if v, ok := strings.CutPrefix(word, "v="); ok {
				versions += " " + binary[strings.LastIndexByte(binary, '/')+1:] + " " + v + ","
			}
		}
	}
	release, _, _ := strings.Cut(strings.TrimSpace(string(kernel)), "-")
	arguments := strings.Join(os.Args[1:], " ")
	return fmt.Sprintf(`# Benchmarks

Written by `+"`make bench-page`"+`: commit %s, %s, Linux %s, %d cores, %d GiB, beside%s with the arguments
`+"`%s`"+`.

All servers are one-node clusters that own all slots, and are measured by turns in the same minute: %d repetitions of about
%g s a cell, by redis-benchmark with %d connections and values of 100 bytes. Cobble writes its log in every mode; "none" is
`+"`appendonly no`"+`. CPU is user and system time of all threads of the server per operation, background work included. The
efficiency is the other server's divided by Cobble's in the same repetition: above 1 Cobble is cheaper. "keys" is the
key space that keys are drawn from at random. Throughput is bounded by the load generator on few cores.

`, strings.TrimSpace(string(commit)), runtime.Version(), release, runtime.NumCPU(), gib, strings.TrimSuffix(versions, ","), arguments, s.reps, s.seconds, s.clients), nil
}
