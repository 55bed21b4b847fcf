package driver

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"cobble/cluster"
)

func someUpdates() []cluster.AcceptorUpdate {
	var c, key cluster.ID
	c[0], key[0] = 1, 2
	return []cluster.AcceptorUpdate{
		{Identity: 77},
		{Rounds: 9},
		{Cluster: c, Domain: &cluster.Domain{Cluster: c, Electors: &cluster.Electors{Cluster: c, Ver: 1, Members: []cluster.Member{{ID: c, Inc: 77}}}}},
		{Cluster: c, Register: &cluster.Register{Key: key, Promised: cluster.Ballot{Round: 3, Inc: 77}}},
		{Cluster: c, Register: &cluster.Register{Key: key, Promised: cluster.Ballot{Round: 4, Inc: 77}, Accepted: cluster.Ballot{Round: 4, Inc: 77},
			Config: &cluster.ShardConfig{Shard: key, Ver: 1, Term: 2, Primary: cluster.Member{ID: c, Inc: 77}}}},
	}
}

func TestAcceptorFileRemembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "acceptor")
	a, saved, aside, err := openAcceptor(path, realDisk{})
	if err != nil || saved != nil || aside != "" {
		t.Fatal(saved, aside, err)
	}
	updates := someUpdates()
	for i := range updates {
		if err := a.append(updates[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	_ = a.close()
	a, saved, aside, err = openAcceptor(path, realDisk{})
	if err != nil || aside != "" || !reflect.DeepEqual(saved, stateOf(updates)) {
		t.Fatalf("%+v %q %v", saved, aside, err)
	}
	if err := a.rewrite(); err != nil {
		t.Fatal(err)
	}
	_ = a.close()
	a, saved, _, err = openAcceptor(path, realDisk{})
	if err != nil || !reflect.DeepEqual(saved, stateOf(updates)) {
		t.Fatalf("after compaction: %+v %v", saved, err)
	}
	_ = a.close()
}

func TestAcceptorFileShrinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "acceptor")
	a, _, _, err := openAcceptor(path, realDisk{})
	if err != nil {
		t.Fatal(err)
	}
	a.compact = 100 // as if a short file had been written before
	largest := int64(0)
	for i := range uint64(200) {
		if err := a.append([]cluster.AcceptorUpdate{{Rounds: i + 1}}); err != nil {
			t.Fatal(err)
		}
		largest = max(largest, a.size)
		if a.compact == compactMin {
			break
		}
	}
	if a.compact != compactMin || a.size >= largest || a.state.Rounds == 0 {
		t.Fatalf("compacted at %d to %d", largest, a.size)
	}
	_ = a.close()
}

// A crash cuts the file anywhere; what was whole before the cut is remembered
// and the file goes on from there.
func TestAcceptorFileCutAnywhere(t *testing.T) {
	updates := someUpdates()
	content := []byte(acceptorMagic)
	ends := []int{len(content)}
	for i := range updates {
		content = appendLine(content, &updates[i])
		ends = append(ends, len(content))
	}
	path := filepath.Join(t.TempDir(), "acceptor")
	for cut := len(acceptorMagic); cut <= len(content); cut++ {
		if err := os.WriteFile(path, content[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		whole := 0
		for whole+1 < len(ends) && ends[whole+1] <= cut {
			whole++
		}
		a, saved, aside, err := openAcceptor(path, realDisk{})
		if err != nil || aside != "" {
			t.Fatal(cut, aside, err)
		}
		var want *cluster.AcceptorState
		if whole > 0 {
			want = stateOf(updates[:whole])
		}
		if !reflect.DeepEqual(saved, want) {
			t.Fatalf("cut at %d: %+v, want %+v", cut, saved, want)
		}
		if err := a.append([]cluster.AcceptorUpdate{{Rounds: 1000}}); err != nil {
			t.Fatal(err)
		}
		_ = a.close()
		if _, saved, aside, err = openAcceptor(path, realDisk{}); err != nil || aside != "" || saved.Rounds != 1000 {
			t.Fatalf("cut at %d, then appended: %+v %q %v", cut, saved, aside, err)
		}
	}
}

func TestAcceptorFileDamaged(t *testing.T) {
	updates := someUpdates()
	content := []byte(acceptorMagic)
	for i := range updates {
		content = appendLine(content, &updates[i])
	}
	path := filepath.Join(t.TempDir(), "acceptor")
	damaged := bytes.Clone(content)
	damaged[len(acceptorMagic)+9] ^= 1
	if err := os.WriteFile(path, damaged, 0o644); err != nil {
		t.Fatal(err)
	}
	a, saved, aside, err := openAcceptor(path, realDisk{})
	if err != nil || saved != nil || aside == "" {
		t.Fatalf("a damaged file gave %+v, %q, %v", saved, aside, err)
	}
	_ = a.close()
	if kept, err := os.ReadFile(aside); err != nil || !bytes.Equal(kept, damaged) {
		t.Fatal("the damaged file is gone", err)
	}
	newer := bytes.Clone(content)
	newer[4] = 9
	if err := os.WriteFile(path, newer, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := openAcceptor(path, realDisk{}); err == nil {
		t.Fatal("a file of a later format was taken")
	}
}

// Damage of any byte that a whole line follows is told from what a crash leaves; of the last line, nobody can tell.
func TestAcceptorFileDamagedAnywhere(t *testing.T) {
	updates := someUpdates()
	content, last := []byte(acceptorMagic), 0
	for i := range updates {
		last = len(content)
		content = appendLine(content, &updates[i])
	}
	for at := len(acceptorMagic); at < len(content); at++ {
		for bit := range 8 {
			damaged := bytes.Clone(content)
			damaged[at] ^= 1 << bit
			got, whole, err := parseAcceptor(damaged)
			if at < last && !errors.Is(err, errAcceptorDamaged) {
				t.Fatalf("bit %d of byte %d: %d updates in %d bytes, %v", bit, at, len(got), whole, err)
			}
			if at >= last && (err != nil || int(whole) != last) {
				t.Fatalf("bit %d of byte %d, in the last line: %d bytes are whole, %v", bit, at, whole, err)
			}
		}
	}
	for n := range 40 { // the length of the file had reached the disk, the line had not
		if got, whole, err := parseAcceptor(append(bytes.Clone(content), make([]byte, n)...)); err != nil || int(whole) != len(content) || len(got) != len(updates) {
			t.Fatalf("%d zeros: %d updates in %d bytes, %v", n, len(got), whole, err)
		}
	}
}

// crashAcceptor appends to the acceptor file through several lives that end in a crash each, and returns what was wrong
// about what the next life read: a promise that was told must be there, and a crash is no damage.
func crashAcceptor(seed uint64, fault string) string {
	random := rand.New(rand.NewPCG(seed, 3))
	disk := newForgetfulDisk(random, fault)
	var all []cluster.AcceptorUpdate // that may be there
	confirmed := 0                   // of them must
	for range 6 {
		a, saved, aside, err := openAcceptor("dir/acceptor", disk)
		if err != nil || aside != "" {
			return fmt.Sprintf("of %d updates, %d confirmed: set aside %q, %v", len(all), confirmed, aside, err)
		}
		if saved == nil {
			saved = new(cluster.AcceptorState)
		}
		for len(all) > confirmed && !reflect.DeepEqual(saved, stateOf(all)) {
			all = all[:len(all)-1]
		}
		if !reflect.DeepEqual(saved, stateOf(all)) {
			return fmt.Sprintf("read %+v, %d updates are confirmed", saved, confirmed)
		}
		confirmed = len(all)
		disk.steps = random.IntN(60)
		for range 40 {
			a.compact = int64(50 + random.IntN(2000)) // as if it had been so short
			all = append(all, randomUpdate(random, uint64(len(all)+1)))
			if err = a.append(all[len(all)-1:]); err != nil {
				break
			}
			confirmed = len(all)
		}
		if err != nil && !errors.Is(err, errCrash) {
			return err.Error()
		}
		disk.crash()
	}
	return ""
}

func randomUpdate(random *rand.Rand, n uint64) cluster.AcceptorUpdate {
	updates := someUpdates()
	switch random.IntN(3) {
	case 0:
		return cluster.AcceptorUpdate{Rounds: n}
	case 1:
		return updates[2]
	}
	register := *updates[3].Register
	register.Key[1], register.Promised.Round = byte(random.IntN(20)), n
	return cluster.AcceptorUpdate{Cluster: updates[3].Cluster, Register: &register}
}

func TestAcceptorSurvivesCrashes(t *testing.T) {
	for seed := range uint64(300) {
		if why := crashAcceptor(seed, ""); why != "" {
			t.Fatalf("seed %d: %s", seed, why)
		}
	}
}

func TestAcceptorFaultsAreNoticed(t *testing.T) {
	for _, fault := range []string{"write unsynced", "directory unsynced", "record unsynced"} {
		faultIsNoticed(t, fault, crashAcceptor)
	}
}

func FuzzParseAcceptor(f *testing.F) {
	content := []byte(acceptorMagic)
	for _, u := range someUpdates() {
		content = appendLine(content, &u)
		f.Add(bytes.Clone(content))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		updates, whole, err := parseAcceptor(b)
		if err != nil {
			return
		}
		again := []byte(acceptorMagic)
		for i := range updates {
			again = appendLine(again, &updates[i])
		}
		if !bytes.Equal(again, b[:whole]) {
			t.Fatal("what was read is not what is written")
		}
	})
}

func testConf(epoch uint64) *cluster.NodesConf {
	var id cluster.ID
	id[0] = 5
	return &cluster.NodesConf{Self: id, Boot: 1, CurrentEpoch: epoch, Records: []*cluster.Record{{ID: id, Boot: 1, Addr: cluster.Addr{IP: "127.0.0.1", Port: 1, BusPort: 2}}}}
}

// openTestNodes opens the node table in dir.
func openTestNodes(t *testing.T, dir string) *nodesFile {
	t.Helper()
	nodes, err := openNodes(filepath.Join(dir, "nodes.conf"), realDisk{}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return nodes
}

// Tokens are told in order, and only when what they stand for is in the file.
func TestDiskTellsTheTruth(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "nodes.conf")
	a, _, _, err := openAcceptor(filepath.Join(dir, "acceptor"), realDisk{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var told []cluster.Token
	epochOf := map[cluster.Token]uint64{}
	told1 := make(chan struct{}, 1000)
	d := startDisk(openTestNodes(t, dir), a, func(token cluster.Token) {
		var conf *cluster.NodesConf
		nodes, err := openNodes(path, realDisk{}, func(string) {})
		if err == nil {
			conf = nodes.conf
		}
		mu.Lock()
		defer mu.Unlock()
		if want := epochOf[token]; want != 0 && (err != nil || conf.CurrentEpoch < want) {
			t.Errorf("token %d told, the file says %+v, %v", token, conf, err)
		}
		told = append(told, token)
		told1 <- struct{}{}
	}, func(err error) { t.Error(err) })
	r := rand.New(rand.NewPCG(1, 1))
	last := cluster.Token(0)
	for i := cluster.Token(1); i <= 200; i++ {
		job := diskJob{token: i}
		switch r.IntN(3) {
		case 0:
			job.updates = []cluster.AcceptorUpdate{{Rounds: uint64(i)}}
			last = i
		case 1:
			job.conf, job.sync = testConf(uint64(i)), true
			mu.Lock()
			epochOf[i] = uint64(i)
			mu.Unlock()
			last = i
		default:
			job.conf = testConf(uint64(i))
		}
		d.put(job)
	}
	for {
		<-told1
		mu.Lock()
		done := told[len(told)-1] >= last
		mu.Unlock()
		if done {
			break
		}
	}
	d.close()
	for i := 1; i < len(told); i++ {
		if told[i] <= told[i-1] {
			t.Fatalf("token %d told after %d", told[i], told[i-1])
		}
	}
	_, saved, _, err := openAcceptor(filepath.Join(dir, "acceptor"), realDisk{})
	if err != nil || saved == nil || saved.Rounds == 0 {
		t.Fatal(saved, err)
	}
}

// Of jobs that are carried out together the last table is written, durably if any of them asks for it; and a table that
// waits never follows a later one.
func TestDiskGathersTables(t *testing.T) {
	job := func(token cluster.Token, sync bool) diskJob {
		return diskJob{token: token, conf: testConf(uint64(token)), sync: sync}
	}
	for name, c := range map[string]struct {
		runs [][]diskJob
		told []cluster.Token
	}{
		"a durable one, then one that may wait":  {[][]diskJob{{job(1, true), job(2, false)}}, []cluster.Token{2}},
		"one that may wait, then a durable one":  {[][]diskJob{{job(1, false), job(2, true)}}, []cluster.Token{2}},
		"a durable one behind one that waits":    {[][]diskJob{{job(1, false)}, {job(2, true)}}, []cluster.Token{2}},
		"one that may wait behind one that does": {[][]diskJob{{job(1, false)}, {job(2, false)}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var told []cluster.Token
			epoch := func() uint64 {
				conf := openTestNodes(t, dir).conf
				if conf == nil {
					return 0
				}
				return conf.CurrentEpoch
			}
			d := &disk{nodes: openTestNodes(t, dir), durable: func(token cluster.Token) {
				told = append(told, token)
				if at := epoch(); at < uint64(token) {
					t.Errorf("token %d told, the file says %d", token, at)
				}
			}}
			var lazy *cluster.NodesConf
			for _, run := range c.runs {
				if n, err := d.next(run, &lazy); n != len(run) || err != nil {
					t.Fatal(n, err)
				}
			}
			if !reflect.DeepEqual(told, c.told) {
				t.Errorf("tokens %v were told, not %v", told, c.told)
			}
			for range 2 {
				if err := d.tidy(&lazy); err != nil {
					t.Fatal(err)
				}
			}
			d.nodes.close()
			if at := epoch(); at != 2 {
				t.Errorf("in the end the file says %d", at)
			}
		})
	}
}

func TestDiskThatFailsStops(t *testing.T) {
	dir := t.TempDir()
	a, _, _, err := openAcceptor(filepath.Join(dir, "acceptor"), realDisk{})
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	d := startDisk(&nodesFile{path: filepath.Join(dir, "no such directory", "nodes.conf"), disk: realDisk{}}, a,
		func(token cluster.Token) { t.Errorf("token %d told", token) }, func(err error) { failed <- err })
	d.put(diskJob{token: 1, conf: testConf(1), sync: true})
	if err := <-failed; !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	<-d.done
}
