package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// startEmpty starts a server that owns all slots.
func (s *settings) startEmpty(name, durability string, args ...string) (*process, error) {
	p, err := newProcess(s, name, durability)
	if err != nil {
		return nil, err
	}
	p.args = append(p.args, args...)
	if err = p.start(); err == nil {
		err = p.join()
	}
	if err != nil {
		p.remove()
		return nil, err
	}
	return p, nil
}

// startLoaded starts a server with keys in it.
func (s *settings) startLoaded(name, durability string, keys int, args ...string) (*process, error) {
	p, err := s.startEmpty(name, durability, args...)
	if err != nil {
		return nil, err
	}
	if err := p.load(keys, keyPattern, randomValue()); err != nil {
		p.remove()
		return nil, err
	}
	return p, nil
}

// budgetArgs sets Cobble's memory budget (MiB).
func (s *settings) budgetArgs(name string, budget int) []string {
	if name != "cobble" {
		return nil
	}
	return []string{"--memory-budget", strconv.Itoa(budget) + "mb"}
}

// fields returns the numbers of INFO, of those sections that the server has.
func (p *process) fields() map[string]float64 {
	fields := map[string]float64{}
	for _, section := range []string{"storage", "memory", "persistence"} {
		text, err := p.bulk("INFO", section)
		if err != nil {
			continue
		}
		for _, line := range strings.Split(text, "\r\n") {
			name, value, _ := strings.Cut(line, ":")
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				fields[name] = v
			}
		}
	}
	return fields
}

// bulk sends a command and returns its bulk reply.
func (p *process) bulk(args ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)), time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write(encode(nil, args...)); err != nil {
		return "", err
	}
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "$") {
		return "", fmt.Errorf("%v answered %q (%v)", args, line, err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
	if err != nil || n < 0 {
		return "", fmt.Errorf("%v answered %q", args, line)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	return string(b), err
}

// rest returns when the server has nothing to do: Cobble has brought everything into
// its store (SAVE) and compacts no more, Redis rewrites no file.
func (p *process) rest() error {
	if p.name == "cobble" {
		if reply, err := p.do("SAVE"); err != nil || reply != "+OK" {
			return fmt.Errorf("SAVE answered %q (%v)", reply, err)
		}
	}
	deadline := time.Now().Add(5 * time.Minute)
	for quiet := 0; quiet < 3; {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not come to rest", p.name)
		}
		f := p.fields()
		if quiet++; f["storage_compactions_running"] > 0 || f["aof_rewrite_in_progress"] > 0 {
			quiet = 0
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

// wholeCPU is cpu and the processor time of children that have ended (Redis rewrites
// its file in one).
func (p *process) wholeCPU() (time.Duration, error) {
	own, err := p.cpu()
	if err != nil {
		return 0, err
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// Fields 16 and 17 of proc(5), in ticks of 10 ms.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	for _, field := range fields[13:15] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		own += time.Duration(n) * 10 * time.Millisecond
	}
	return own, nil
}
