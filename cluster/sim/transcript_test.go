package sim

import (
	"flag"
	"os"
	"strings"
	"testing"

	"cobble/cluster"
	"cobble/slots"
)

var update = flag.Bool("update", false, "rewrite the transcripts")

// transcripts are short stories on a network without chance. What every node
// heard (<) and did (>) is kept in ../testdata, to be read and to be compared.
var transcripts = []struct {
	file, about string
	hosts       int
	play        func(w *World, say func(string))
}{
	{"meet.txt", "Two singletons meet: handshake, the greater cluster id dissolves into the lesser.", 2, func(w *World, say func(string)) {
		say("n0 is told to meet n1")
		w.Do(0, cluster.Meet{Addr: hostAddr(1)})
		w.Run(60)
	}},
	{"failover.txt", "A primary's process dies: refused twice, reported, failed, replaced; it returns as a replica.", 4, func(w *World, say func(string)) {
		w.quietly(func() { w.Create(3, 1); w.write(); w.Run(1000); w.write() })
		say("n0 dies")
		w.Hosts[0].crash(w)
		w.Run(150)
		say("n0 starts again")
		w.Hosts[0].start(w)
		w.Run(20)
	}},
	{"manual.txt", "CLUSTER FAILOVER: pause, offset, election without a failure.", 4, func(w *World, say func(string)) {
		w.quietly(func() { w.Create(3, 1); w.write(); w.Run(1000); w.write() })
		say("n3 is told to take over from n0")
		w.Do(3, cluster.Failover{})
		w.Run(10)
		w.write()
		w.Run(20)
	}},
	{"setslot.txt", "A slot moves: importing, migrating, then NODE at the target, the source and the others.", 3, func(w *World, say func(string)) {
		w.quietly(func() { w.Create(3, 0); w.Run(1000) })
		a, b := w.Hosts[0].id(), w.Hosts[1].id()
		for _, step := range []struct {
			at int
			do cluster.Admin
		}{
			{1, cluster.SetSlotImporting{Slot: 7, From: a}}, {0, cluster.SetSlotMigrating{Slot: 7, To: b}},
			{1, cluster.SetSlotNode{Slot: 7, ID: b}}, {0, cluster.SetSlotNode{Slot: 7, ID: b}}, {2, cluster.SetSlotNode{Slot: 7, ID: b}},
		} {
			w.Do(step.at, step.do)
			w.Run(10)
		}
	}},
	{"delnode.txt", "What redis-cli del-node does to an elector: FORGET at the others, RESET; it hands its vote over first.", 4, func(w *World, say func(string)) {
		w.quietly(func() { w.Create(3, 1); w.Run(1000) })
		id := w.Hosts[3].id()
		for i := range 3 {
			w.Do(i, cluster.Forget{ID: id})
		}
		w.Run(5)
		say("RESET SOFT at n3")
		w.Do(3, cluster.Reset{})
		w.Run(60)
	}},
	{"epochs.txt", "ADDSLOTS, SET-CONFIG-EPOCH, BUMPEPOCH and their refusals.", 1, func(w *World, say func(string)) {
		var set slots.Set
		set.AddRange(slots.Range{First: 0, Last: 99})
		for _, do := range []cluster.Admin{
			cluster.AddSlots{Slots: set}, cluster.AddSlots{Slots: set}, cluster.SetConfigEpoch{Epoch: 5}, cluster.SetConfigEpoch{Epoch: 6},
			cluster.BumpEpoch{}, cluster.DelSlots{Slots: set}, cluster.DelSlots{Slots: set}, cluster.Failover{},
			cluster.Forget{ID: w.Hosts[0].id()}, cluster.SetSlotStable{Slot: 1}, cluster.Replicate{ID: w.Hosts[0].id()},
		} {
			w.Do(0, do)
			w.Run(3)
		}
	}},
}

// quietly runs f without a trace.
func (w *World) quietly(f func()) {
	print := w.trace
	w.trace = nil
	f()
	w.trace = print
}

func TestTranscripts(t *testing.T) {
	for _, story := range transcripts {
		t.Run(story.file, func(t *testing.T) {
			lines := []string{"# " + story.about, "# time in ms, node, < what it hears, > what it does"}
			w := New(4, story.hosts, 0, func(c *cluster.Config) { c.NodeTimeout = 15000 })
			w.Net = Net{MinDelay: 200, MaxDelay: 200, SyncMin: 500, SyncMax: 500}
			w.Run(100)
			w.Trace(func(line string) {
				if !strings.Contains(line, "Digest") && !strings.Contains(line, "Fetch") {
					lines = append(lines, line)
				}
			})
			story.play(w, func(text string) { lines = append(lines, "", "# "+text) })
			if len(w.Failures) > 0 {
				t.Fatal(w.Failures)
			}
			got := strings.Join(lines, "\n") + "\n"
			file := "../testdata/" + story.file
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(want) != got {
				t.Errorf("%s has changed; look at the difference of -update", file)
			}
		})
	}
}
