package driver

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cobble/cluster"
)

var update = flag.Bool("update", false, "write the golden bytes anew; only together with a new version")

// forgetfulDisk keeps over a crash what was synced, and of the rest what chance leaves.
type forgetfulDisk struct {
	random *rand.Rand
	names  map[string]*inode
	kept   map[string]*inode // what names will be after a crash, at least
	steps  int               // until the crash; negative: never
	fault  string            // what this disk does not do
	late   map[string]*inode // names that the next syncDir keeps
}

type inode struct {
	content []byte
	synced  []byte
}

var errCrash = errors.New("the power fails")

func newForgetfulDisk(random *rand.Rand, fault string) *forgetfulDisk {
	return &forgetfulDisk{random: random, names: map[string]*inode{}, kept: map[string]*inode{}, late: map[string]*inode{}, steps: -1, fault: fault}
}

// step counts down to the crash.
func (d *forgetfulDisk) step() error {
	if d.steps == 0 {
		return errCrash
	}
	d.steps--
	return nil
}

// crash leaves what a power failure would.
func (d *forgetfulDisk) crash() {
	for name, i := range d.names {
		if d.kept[name] != i && d.random.IntN(2) == 0 {
			d.kept[name] = i // the rename had reached the disk by itself
		}
	}
	d.names = maps.Clone(d.kept)
	clear(d.late)
	for _, i := range d.names {
		if len(i.content) > len(i.synced) && bytes.Equal(i.content[:len(i.synced)], i.synced) {
			tail := i.content[len(i.synced):]
			tail = slices.Clone(tail[:d.random.IntN(len(tail)+1)])
			switch d.random.IntN(4) {
			case 0: // the length is there, the data is not
				clear(tail)
			case 1:
				if len(tail) > 0 {
					clear(tail[:d.random.IntN(len(tail))])
				}
			}
			i.content = append(slices.Clone(i.synced), tail...)
		} else if !bytes.Equal(i.content, i.synced) {
			i.content = slices.Clone(i.synced)
		}
		i.synced = slices.Clone(i.content)
	}
	d.steps = -1
}

func (d *forgetfulDisk) read(path string) ([]byte, error) {
	if i := d.names[path]; i != nil {
		return slices.Clone(i.content), nil
	}
	return nil, fs.ErrNotExist
}

func (d *forgetfulDisk) write(path string, content []byte) error {
	i := &inode{}
	d.names[path] = i
	if err := d.step(); err != nil {
		i.content = slices.Clone(content[:d.random.IntN(len(content)+1)])
		return err
	}
	i.content = slices.Clone(content)
	if d.fault != "write unsynced" {
		i.synced = slices.Clone(content)
	}
	return d.step()
}

func (d *forgetfulDisk) rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	d.names[to] = d.names[from]
	delete(d.names, from)
	return d.step()
}

func (d *forgetfulDisk) syncDir(string) error {
	if err := d.step(); err != nil {
		return err
	}
	if d.fault != "directory unsynced" {
		maps.Copy(d.kept, d.late)
		clear(d.late)
		for name, i := range d.names {
			if d.fault == "lost rename" && filepath.Base(name) == "nodes.conf" && d.kept[name] != i {
				d.late[name] = i
				continue
			}
			d.kept[name] = i
		}
	}
	return d.step()
}

func (d *forgetfulDisk) open(path string) (journalFile, error) {
	return &openInode{d, d.names[path]}, d.step()
}

type openInode struct {
	disk *forgetfulDisk
	*inode
}

func (o *openInode) WriteAt(b []byte, at int64) (int, error) {
	if int64(len(o.content)) != at {
		return 0, fmt.Errorf("written at %d, the end is %d", at, len(o.content))
	}
	if err := o.disk.step(); err != nil {
		o.content = append(o.content, b[:o.disk.random.IntN(len(b)+1)]...)
		return 0, err
	}
	o.content = append(o.content, b...)
	return len(b), o.disk.step()
}

func (o *openInode) Sync() error {
	if err := o.disk.step(); err != nil {
		return err
	}
	if o.disk.fault != "record unsynced" {
		o.synced = slices.Clone(o.content)
	}
	return o.disk.step()
}

func (o *openInode) Close() error { return nil }

// crashNodes writes tables through several lives that end in a crash each, and
// returns what was wrong about what the next life read.
func crashNodes(seed uint64, fault string) string {
	random := rand.New(rand.NewPCG(seed, 1))
	disk := newForgetfulDisk(random, fault)
	confirmed, begun := uint64(0), uint64(0)
	written := map[uint64]*cluster.NodesConf{}
	for range 6 {
		n, err := openNodes("dir/nodes.conf", disk, func(string) {})
		if err != nil {
			return fmt.Sprintf("confirmed %d, begun %d: %v", confirmed, begun, err)
		}
		got := uint64(0)
		if n.conf != nil {
			got = n.conf.CurrentEpoch
			if want := written[got]; want == nil || tableText(n.conf) != tableText(want) {
				return fmt.Sprintf("table %d is not the one that was written", got)
			}
		}
		if got < confirmed || got > begun {
			return fmt.Sprintf("read table %d, confirmed %d, begun %d", got, confirmed, begun)
		}
		disk.steps = random.IntN(120)
		for range 40 {
			if random.IntN(12) == 0 && n.behind() {
				err = n.compact()
			} else {
				begun++
				written[begun] = randomConf(random, begun)
				if err = n.write(written[begun]); err == nil {
					confirmed = begun
				}
			}
			if err != nil {
				break
			}
		}
		if err != nil && !errors.Is(err, errCrash) {
			return err.Error()
		}
		n.close()
		disk.crash()
	}
	return ""
}

func tableText(c *cluster.NodesConf) string {
	plain := *c
	plain.Generation = 0
	return string(cluster.EncodeNodesConf(&plain))
}

// randomConf makes a table of several nodes, large enough now and then to have
// the journal compacted.
func randomConf(random *rand.Rand, epoch uint64) *cluster.NodesConf {
	conf := testConf(epoch)
	for i := range random.IntN(5) {
		r := *conf.Records[0]
		r.ID[0], r.Counter = byte(6+i), epoch
		r.Hostname = strings.Repeat("h", random.IntN(256))
		conf.Records = append(conf.Records, &r)
	}
	return conf
}

func TestNodesSurviveCrashes(t *testing.T) {
	for seed := range uint64(1000) {
		if why := crashNodes(seed, ""); why != "" {
			t.Fatalf("seed %d: %s", seed, why)
		}
	}
}

// A disk, or code, that leaves a step out must be noticed by the test above, or
// the test is not to be trusted.
func TestNodesFaultsAreNoticed(t *testing.T) {
	for _, fault := range []string{"write unsynced", "directory unsynced", "record unsynced", "lost rename"} {
		faultIsNoticed(t, fault, crashNodes)
	}
}

func faultIsNoticed(t *testing.T, fault string, crash func(seed uint64, fault string) string) {
	t.Run(fault, func(t *testing.T) {
		for seed := range uint64(2000) {
			if why := crash(seed, fault); why != "" {
				t.Logf("seed %d: %s", seed, why)
				return
			}
		}
		t.Error("not noticed in 2000 seeds")
	})
}

// journalOf returns a journal with changes towards the tables first to last.
func journalOf(generation, first, last uint64) []byte {
	b := appendJournalHead(nil, generation)
	var before *cluster.NodesConf
	for epoch := first; epoch <= last; epoch++ {
		conf := testConf(epoch)
		b = appendJournalRecord(b, epoch-first+1, conf.ChangeSince(before))
		before = conf
	}
	return b
}

// Which of the two files is believed, and when neither is.
func TestNodesFilePairs(t *testing.T) {
	base := testConf(10)
	base.Generation = 4
	text := cluster.EncodeNodesConf(base)
	journal := journalOf(4, 11, 13)
	last := len(journal) - len(journalOf(4, 11, 12))
	damaged := func(at int, b byte) []byte {
		bad := bytes.Clone(journal)
		bad[at] ^= b
		return bad
	}
	for name, c := range map[string]struct {
		text, journal []byte
		want          uint64 // current epoch; 0: none
		err, note     string
	}{
		"both":                    {text: text, journal: journal, want: 13},
		"no journal":              {text: text, want: 10},
		"empty journal":           {text: text, journal: appendJournalHead(nil, 4), want: 10},
		"older journal":           {text: text, journal: journalOf(3, 11, 13), want: 10},
		"newer journal":           {text: text, journal: journalOf(5, 11, 13), err: "is older than its journal"},
		"no nodes.conf":           {journal: journal, note: "set aside"},
		"torn record":             {text: text, journal: journal[:len(journal)-1], want: 12, note: "incomplete"},
		"torn after the head":     {text: text, journal: journal[:journalHead+3], want: 10, note: "incomplete"},
		"last record damaged":     {text: text, journal: damaged(len(journal)-1, 1), want: 12, note: "incomplete"},
		"last length damaged":     {text: text, journal: damaged(len(journal)-last, 0x80), want: 12, note: "incomplete"},
		"zeros":                   {text: text, journal: append(bytes.Clone(journal), make([]byte, 5000)...), want: 13, note: "incomplete"},
		"a record damaged":        {text: text, journal: damaged(journalHead+journalRecord+3, 1), err: "whole record follows"},
		"a length damaged":        {text: text, journal: damaged(journalHead+3, 1), err: "whole record follows"},
		"head damaged":            {text: text, journal: damaged(6, 1), err: "no head"},
		"half a head":             {text: text, journal: journal[:7], err: "no head"},
		"journal of another form": {text: text, journal: damaged(4, 8), err: "format 9"},
		"nodes.conf of format 1":  {text: []byte(strings.Replace(string(text), "x-format 2\nx-generation 4", "x-format 1", 1)), want: 10},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "nodes.conf")
			for file, content := range map[string][]byte{path: c.text, journalPath(path): c.journal} {
				if content == nil {
					continue
				}
				if err := os.WriteFile(file, content, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			notes := ""
			n, err := openNodes(path, realDisk{}, func(text string) { notes += text })
			if c.err != "" {
				var start *StartError
				if !errors.As(err, &start) || !strings.Contains(start.Text, c.err) {
					t.Fatalf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := uint64(0)
			if n.conf != nil {
				got = n.conf.CurrentEpoch
			}
			if got != c.want || (c.note == "") != (notes == "") || !strings.Contains(notes, c.note) {
				t.Fatalf("table %d, want %d, notes %q", got, c.want, notes)
			}
			// Whatever was found, what is written next is what is read next.
			if err := n.write(testConf(20)); err != nil {
				t.Fatal(err)
			}
			if err := n.write(testConf(21)); err != nil {
				t.Fatal(err)
			}
			n.close()
			if n = openTestNodes(t, dir); n.conf.CurrentEpoch != 21 {
				t.Fatalf("then table %d", n.conf.CurrentEpoch)
			}
		})
	}
}

// A journal that grows is taken up into nodes.conf, which then says everything
// by itself.
func TestNodesFileIsCompacted(t *testing.T) {
	dir := t.TempDir()
	n := openTestNodes(t, dir)
	largest, shrunk := int64(0), false
	for epoch := uint64(1); epoch < 2000 && !shrunk; epoch++ {
		if err := n.write(testConf(epoch)); err != nil {
			t.Fatal(err)
		}
		shrunk = n.size < largest
		largest = max(largest, n.size)
	}
	if !shrunk || largest > 2*journalMin {
		t.Fatalf("the journal grew to %d bytes", largest)
	}
	if err := n.write(testConf(5000)); err != nil || !n.behind() {
		t.Fatal(err)
	}
	if err := n.compact(); err != nil || n.behind() {
		t.Fatal(err)
	}
	n.close()
	conf, err := readNodes(realDisk{}, filepath.Join(dir, "nodes.conf"))
	if err != nil || conf.CurrentEpoch != 5000 {
		t.Fatalf("nodes.conf has %+v, %v", conf, err)
	}
}

func TestJournalGolden(t *testing.T) {
	const file = "testdata/journal.txt"
	got := hex.Dump(journalOf(7, 1, 3))
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
		t.Fatalf("the journal's bytes have changed:\n%s", got)
	}
}

func FuzzParseJournal(f *testing.F) {
	f.Add(journalOf(1, 1, 3))
	f.Add(journalOf(1<<40, 5, 5)[:60])
	f.Add(append(journalOf(2, 1, 1), make([]byte, 40)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		generation, changes, whole, err := parseJournal(b)
		if err != nil {
			return
		}
		again := appendJournalHead(nil, generation)
		for i, c := range changes {
			again = appendJournalRecord(again, uint64(i)+1, c)
		}
		if !bytes.Equal(again, b[:whole]) {
			t.Fatal("what was read is not what is written")
		}
	})
}

// BenchmarkNodesFile is what a SETSLOT waits for: a durable change of the table
// of six nodes.
func BenchmarkNodesFile(b *testing.B) {
	conf := func(epoch uint64) *cluster.NodesConf {
		c := testConf(epoch)
		for i := range 5 {
			r := *c.Records[0]
			r.ID[0] = byte(6 + i)
			c.Records = append(c.Records, &r)
		}
		return c
	}
	b.Run("journal", func(b *testing.B) {
		n, err := openNodes(filepath.Join(b.TempDir(), "nodes.conf"), realDisk{}, func(string) {})
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; b.Loop(); i++ {
			if err := n.write(conf(uint64(i))); err != nil {
				b.Fatal(err)
			}
		}
		n.close()
	})
	b.Run("replaced", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "nodes.conf")
		for i := 0; b.Loop(); i++ {
			if err := replaceDurably(realDisk{}, path, cluster.EncodeNodesConf(conf(uint64(i)))); err != nil {
				b.Fatal(err)
			}
		}
	})
}
