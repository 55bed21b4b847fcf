package demo

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"cobble/tools/topology"
)

// restartAfter is long enough to see a replica take over from a primary that was killed.
const restartAfter = 10 * time.Second

// watch shows how the cluster is, once a second, and starts again what has died, until a signal comes.
func (d *demo) watch(stop <-chan os.Signal) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var last sample
	for {
		d.revive()
		now := d.look()
		d.show(now, last)
		last = now
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

func (d *demo) revive() {
	for _, n := range d.nodes {
		switch {
		case n.alive():
		case n.ended.IsZero():
			n.ended = time.Now()
			d.say("%s  The server on port %d ended (%v); it is started again in %v.", clock(), n.port, n.cmd.ProcessState, restartAfter)
		case time.Since(n.ended) >= restartAfter:
			if err := d.start(n); err != nil {
				d.say("%s  The server on port %d cannot be started: %v", clock(), n.port, err)
				n.ended = time.Now()
				continue
			}
			d.say("%s  The server on port %d is started again (pid %d).", clock(), n.port, n.pid())
		}
	}
}

func clock() string { return time.Now().Format("15:04:05") }

// sample is what one look at all nodes gave.
type sample struct {
	at        time.Time
	ok        bool
	primaries []string // ports of those with slots
	replicas  int
	down      int
	keys      int64
	commands  int64 // since the servers started
	rss       int64 // bytes
}

func (d *demo) look() sample {
	s := sample{at: time.Now(), ok: true}
	answered := false
	for _, n := range d.nodes {
		info, err := n.ask("INFO")
		if err != nil {
			s.down++
			continue
		}
		s.commands += number(info, "total_commands_processed:")
		s.rss += number(info, "used_memory_rss:")
		if strings.Contains(info, "role:master") {
			if i := strings.Index(info, "db0:keys="); i >= 0 {
				s.keys += number(info[i:], "keys=")
			}
		}
		if answered {
			continue
		}
		state, err := n.ask("CLUSTER", "INFO")
		if err != nil {
			continue
		}
		text, err := n.ask("CLUSTER", "NODES")
		if err != nil {
			continue
		}
		nodes, err := topology.ParseNodes(text)
		if err != nil {
			continue
		}
		answered = true
		s.ok = strings.Contains(state, "cluster_state:ok")
		for _, m := range nodes {
			switch {
			case m.Has("fail") || m.Has("fail?"):
			case m.IsReplica():
				s.replicas++
			case !m.Slots.Empty():
				s.primaries = append(s.primaries, strconv.Itoa(m.Port))
			}
		}
	}
	s.ok = s.ok && answered
	return s
}

// number reads the integer after a field's name, 0 when there is none.
func number(text, field string) int64 {
	i := strings.Index(text, field)
	if i < 0 {
		return 0
	}
	digits := text[i+len(field):]
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		digits = digits[:end]
	}
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}

// show keeps one line up to date on a terminal. Elsewhere it prints a line when something other than numbers changed.
func (d *demo) show(s, last sample) {
	state := "ok"
	if !s.ok {
		state = "DOWN"
	}
	line := fmt.Sprintf("cluster %s, primaries on %s, %d replicas", state, strings.Join(s.primaries, " "), s.replicas)
	if s.down > 0 {
		line += fmt.Sprintf(", %d not answering", s.down)
	}
	if !d.interactive {
		if line != d.lastLine {
			fmt.Fprintf(d.out, "%s  %s\n", clock(), line)
			d.lastLine = line
		}
		return
	}
	rate := 0.0
	if seconds := s.at.Sub(last.at).Seconds(); !last.at.IsZero() && s.commands >= last.commands {
		// Our own questions are not worth showing.
		rate = max(0, float64(s.commands-last.commands-int64(len(d.nodes))-2)/seconds)
	}
	line += fmt.Sprintf(", %d keys, %.0f commands/s, %d MB", s.keys, rate, s.rss>>20)
	fmt.Fprintf(d.out, "\r%s  %s\x1b[K", clock(), line)
	d.lastLine = line
}
