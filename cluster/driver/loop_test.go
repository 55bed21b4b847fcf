package driver

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cobble/cluster"
	"cobble/slots"
)

// script is a mind that answers each event with the next effects of a list.
type script struct {
	steps [][]cluster.Effect
	view  *cluster.View
	lease cluster.Time
	heard []cluster.Event
}

func (s *script) Step(_ cluster.Time, e cluster.Event) []cluster.Effect {
	s.heard = append(s.heard, e)
	if len(s.steps) == 0 {
		return nil
	}
	next := s.steps[0]
	s.steps = s.steps[1:]
	return next
}
func (s *script) Wake() cluster.Time  { return 1 << 60 }
func (s *script) View() *cluster.View { return s.view }
func (s *script) Lease() cluster.Time { return s.lease }

// bench is a driver whose loop is turned by hand, and what its hooks were told.
func bench(t *testing.T, steps ...[]cluster.Effect) (*Driver, *script, *[]string) {
	t.Helper()
	dir := t.TempDir()
	var told []string
	tell := func(what string) { told = append(told, what) }
	var id cluster.ID
	id[0] = 1
	view := &cluster.View{Nodes: []cluster.Node{{ID: id, Boot: 1, Myself: true}}}
	d := newDriver(Options{Bind: []string{"127.0.0.1"}, Settings: Settings{Machine: cluster.DefaultConfig(cluster.Addr{Port: 1})}, Hooks: Hooks{
		Publish:       func(v *cluster.View, _ *slots.View) { tell("publish") },
		BecomePrimary: func(b cluster.BecomePrimary) { tell("primary") },
		FlushData:     func() { tell("flush") },
		ResumeWrites:  func() { tell("resume") },
	}})
	if err := d.listen(); err != nil {
		t.Fatal(err)
	}
	a, _, _, err := openAcceptor(filepath.Join(dir, "acceptor"), realDisk{})
	if err != nil {
		t.Fatal(err)
	}
	d.disk = startDisk(openTestNodes(t, dir), a, func(token cluster.Token) { d.durable <- token }, func(err error) { d.failed <- err })
	mind := &script{steps: steps, view: view}
	d.mind = mind
	d.publish(view)
	told = nil
	t.Cleanup(func() {
		close(d.quit)
		close(d.ended)
		d.ring.close()
		d.bus.close()
		_ = d.port.Close()
		d.disk.close()
	})
	return d, mind, &told
}

func effects(after cluster.Token, actions ...cluster.Action) (out []cluster.Effect) {
	for _, a := range actions {
		out = append(out, cluster.Effect{After: after, Do: a})
	}
	return out
}

// A vote that leaves before it is durable can be cast twice: what depends on a
// persist waits for it, and only that does.
func TestEffectsWaitForTheirPersist(t *testing.T) {
	step := append(effects(0, cluster.PersistNodes{Token: 1, Sync: true, Conf: testConf(1)}, cluster.ResumeWrites{}),
		append(effects(1, cluster.BecomePrimary{}, cluster.FlushData{}), effects(0, cluster.ResumeWrites{})...)...)
	d, _, told := bench(t, step)
	d.step(cluster.Tick{})
	if want := []string{"resume", "resume"}; !slices.Equal(*told, want) {
		t.Fatalf("before the disk answers: %v, want %v", *told, want)
	}
	token := <-d.durable
	if conf, err := readNodes(realDisk{}, d.disk.nodes.path); err != nil || conf.CurrentEpoch != 1 {
		t.Fatalf("told durable, the file has %+v, %v", conf, err)
	}
	d.release(token)
	if want := []string{"resume", "resume", "primary", "flush"}; !slices.Equal(*told, want) {
		t.Fatalf("afterwards: %v, want %v", *told, want)
	}
}

// Effects of a later step that wait for an earlier token keep behind those that
// wait for it already, and a later token does not release what waits for more.
func TestHeldEffectsKeepTheirOrder(t *testing.T) {
	d, _, told := bench(t,
		effects(1, cluster.BecomePrimary{}),
		append(effects(2, cluster.FlushData{}), effects(1, cluster.ResumeWrites{})...))
	d.step(cluster.Tick{})
	d.step(cluster.Tick{})
	d.release(1)
	if want := []string{"primary", "resume"}; !slices.Equal(*told, want) {
		t.Fatalf("token 1: %v, want %v", *told, want)
	}
	d.release(2)
	if want := []string{"primary", "resume", "flush"}; !slices.Equal(*told, want) {
		t.Fatalf("token 2: %v, want %v", *told, want)
	}
}

// Who is told OK finds the change in the view.
func TestRepliesComeLast(t *testing.T) {
	d, mind, told := bench(t)
	mind.steps = [][]cluster.Effect{effects(0, cluster.Reply{Command: 1, Result: cluster.Result{Text: "OK"}}, cluster.Publish{View: mind.view})}
	answer := make(chan cluster.Result, 1)
	d.commands[1] = answer
	published := false
	d.options.Hooks.Publish = func(*cluster.View, *slots.View) { published = len(answer) == 0 }
	d.step(cluster.Tick{})
	if !published || len(answer) != 1 || len(*told) != 0 {
		t.Fatal("the reply came before the view")
	}
}

// A message to itself comes back as an event, and not before what it waits for.
func TestMessagesToItself(t *testing.T) {
	d, mind, _ := bench(t)
	me := mind.view.Myself().ID
	m := &cluster.Message{From: me, Body: cluster.Verify{}}
	mind.steps = [][]cluster.Effect{effects(1, cluster.Send{To: me, Msg: m})}
	d.step(cluster.Tick{})
	d.settle()
	if len(mind.heard) != 1 {
		t.Fatal("it did not wait for its token")
	}
	d.release(1)
	d.settle()
	if len(mind.heard) != 2 || mind.heard[1].(cluster.Receive).Msg != m {
		t.Fatalf("%+v", mind.heard)
	}
}

// After a failed persist nothing is sent any more, whatever it waited for.
func TestNothingAfterAFailedPersist(t *testing.T) {
	d, mind, told := bench(t, effects(1, cluster.BecomePrimary{}))
	fatal := errors.New("")
	d.options.Hooks.Fatal = func(err error) { fatal = err }
	d.step(cluster.Tick{})
	cause := errors.New("the disk is gone")
	d.fail(cause)
	d.release(1)
	mind.steps = [][]cluster.Effect{effects(0, cluster.FlushData{})}
	d.step(cluster.Tick{})
	if len(*told) != 0 || !errors.Is(fatal, cause) {
		t.Fatalf("%v, %v", *told, fatal)
	}
}

// A loop that does not turn must not answer pings: others would think it lives.
func TestPingsNeedALoopThatTurns(t *testing.T) {
	d, _, _ := bench(t)
	turned := d.now()
	d.stepped.Store(int64(turned))
	if !d.bus.conf.healthy() && d.now().Since(turned) < cluster.Duration(healthySpan.Milliseconds()) {
		t.Fatal("it has just turned")
	}
	d.stepped.Store(int64(d.now()) - healthySpan.Milliseconds() - 1)
	if d.bus.conf.healthy() {
		t.Fatal("it hangs")
	}
}

func TestClockNeverStepsBack(t *testing.T) {
	d := newDriver(Options{})
	last := d.now()
	for range 1000 {
		now := d.now()
		if now < last {
			t.Fatal("it did")
		}
		last = now
	}
	if at := d.at(last.After(50)); time.Until(at) > 51*time.Millisecond {
		t.Fatalf("50 ms from now is in %v", time.Until(at))
	}
}

// A view that a newer one is about to replace is not prolonged. One that is, is so
// to the moment that the machine gives, be that past already.
func TestLeaseNeedsTheNewestView(t *testing.T) {
	d, mind, _ := bench(t)
	var leases int
	mind.lease = d.now().After(-60_000)
	d.options.Hooks.Serve = func(until time.Time) {
		if !until.Equal(d.at(mind.lease)) {
			t.Errorf("a lease until %v, the machine says %v", until, d.at(mind.lease))
		}
		leases++
	}
	d.lease()
	mind.steps = [][]cluster.Effect{effects(1, cluster.Publish{View: mind.view})}
	d.step(cluster.Tick{})
	d.lease()
	if leases != 1 {
		t.Fatalf("%d leases while a view waits for the disk, want the one before", leases)
	}
	d.release(1)
	mind.lease = d.now().After(60_000)
	d.lease()
	if leases != 2 {
		t.Fatalf("%d leases, want 2", leases)
	}
}

// Changed settings show at once, but what the machine believes does not, as long
// as it waits for the disk.
func TestConfigurePublishesNothingThatIsHeld(t *testing.T) {
	d, mind, told := bench(t, effects(7, cluster.Publish{View: &cluster.View{}}))
	before := d.View()
	newer := *before
	mind.view = &newer
	d.step(cluster.Tick{})
	changed := *d.settings.Load()
	changed.Endpoint = "hostname"
	d.Configure(changed)
	(<-d.asks)()
	if d.View() != before {
		t.Fatal("CONFIG SET has published what is not durable")
	}
	if want := []string{"publish"}; !slices.Equal(*told, want) || d.settings.Load().Endpoint != "hostname" {
		t.Fatalf("told %v, want %v", *told, want)
	}
}
