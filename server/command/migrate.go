package command

import (
	"slices"
	"strconv"

	"cobble/slots"
	"cobble/storage"
)

const (
	errMigrateKeys  Error = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
	errMigrateAlone Error = "ERR MIGRATE is not available: this server has no connections to others"
	errMigrateTorn  Error = "ERR the keys were changed by another server during MIGRATE: they are at the target and were not deleted here"

	// defaultTimeoutMS stands for a timeout of MIGRATE that is not positive.
	defaultTimeoutMS = 1000
)

// Target is the server that MIGRATE sends keys to, and how to reach it.
type Target struct {
	Host, Port     string
	DB             int64
	TimeoutMS      int64 // of each step: to connect, to write, to wait for a reply
	Auth           bool  // say AUTH before anything else
	User, Password string
}

// Deliver sends a pipeline of requests to another server and returns the first
// lines of its replies as far as they came, "" for a reply that is no error. An
// error is the text of the failure, "IOERR …".
type Deliver func(to Target, requests []byte, replies int) (refusals []string, err error)

func migrateCommands() []Command {
	return []Command{
		{Name: "migrate", Arity: -6, Flags: Write | MovableKeys, Categories: "@keyspace @dangerous", Group: "generic", Since: "2.6.0",
			Tips: []string{"nondeterministic_output"},
			Keys: []KeySpec{
				{Flags: KeyRW | KeyAccess | KeyDelete, Index: 3, Step: 1, KeyNum: -1, mayBeEmpty: true},
				{Flags: KeyRW | KeyAccess | KeyDelete | KeyIncomplete, Keyword: "KEYS", StartFrom: -2, Last: -1, Step: 1, KeyNum: -1},
			},
			Summary:    "Moves keys to another server; each is there or here, whatever fails.",
			Complexity: "O(N) where N is the size of the values.", Serve: migrate},
	}
}

// migration is one MIGRATE.
type migration struct {
	call          *Call
	to            Target
	copy, replace bool
	keys          []int // positions in call.Args

	hold     *storage.Hold
	payloads [][]byte // of keys; nil: no such key
	expires  []int64  // Unix milliseconds, 0 = never
	sent     []int    // indexes of the keys that were sent
	acked    [][]byte // keys that the target has
	bytes    int      // that were sent
	asking   bool     // the cluster's slots are open: say RESTORE-ASKING
}

// migrate parses MIGRATE; the work is done where the session may wait.
func migrate(c *Call) error {
	m := &migration{call: c}
	if err := m.parse(); err != nil {
		return err
	}
	if c.Env.Deliver == nil {
		return errMigrateAlone
	}
	c.Later = func(stop <-chan struct{}) {
		from := c.Out.Len()
		if err := m.run(); err != nil {
			c.Out.CutTo(from)
			c.Out.Error(ErrorText(err))
		}
		if c.Env.Pace != nil && m.bytes > 0 { // here, where no key is held any more
			c.Env.Pace(m.bytes, stop)
		}
	}
	return nil
}

func (m *migration) parse() error {
	args := m.call.Args
	m.to.Host, m.to.Port, m.keys = string(args[1]), string(args[2]), []int{3}
options:
	for i := 6; i < len(args); i++ {
		left := len(args) - 1 - i
		switch {
		case fold(args[i], "COPY"):
			m.copy = true
		case fold(args[i], "REPLACE"):
			m.replace = true
		case fold(args[i], "AUTH") && left >= 1:
			m.to.Auth, m.to.Password = true, string(args[i+1])
			i++
		case fold(args[i], "AUTH2") && left >= 2:
			m.to.Auth, m.to.User, m.to.Password = true, string(args[i+1]), string(args[i+2])
			i += 2
		case fold(args[i], "KEYS"):
			if len(args[3]) != 0 {
				return errMigrateKeys
			}
			m.keys = m.keys[:0]
			for j := i + 1; j < len(args); j++ {
				m.keys = append(m.keys, j)
			}
			break options
		default:
			return ErrSyntax
		}
	}
	var timeoutOK, dbOK bool
	m.to.TimeoutMS, timeoutOK = storage.ParseInt(args[5])
	m.to.DB, dbOK = storage.ParseInt(args[4])
	if !timeoutOK || !dbOK {
		return ErrNotInteger
	}
	if m.to.TimeoutMS <= 0 {
		m.to.TimeoutMS = defaultTimeoutMS
	}
	return nil
}

// run moves the keys. Until the target has said that it has a key, the key is
// here; from the moment that it was read until it is deleted, nobody changes it
// (storage.Hold); and no lock is held while the network is waited for.
func (m *migration) run() error {
	c := m.call
	if len(m.keys) > 0 {
		m.hold = storage.NewHold()
		defer c.Env.Engine.Release(m.hold)
		if err := m.read(); err != nil {
			return err
		}
	}
	requests := m.requests(c.Env.Process.Micros() / 1000)
	if requests == nil {
		c.Out.Status("NOKEY")
		return nil
	}
	if len(m.sent) == 0 { // they have expired since
		c.Out.OK()
		return nil
	}
	m.bytes = len(requests)
	refusals, failed := c.Env.Deliver(m.to, requests, len(m.sent))
	refused := ""
	for i, text := range refusals {
		if text == "" {
			m.acked = append(m.acked, c.Args[m.keys[m.sent[i]]])
		} else if refused == "" {
			refused = text
		}
	}
	if err := m.remove(); err != nil {
		return err
	}
	switch {
	case refused != "":
		return Error("ERR Target instance replied with error: " + refused)
	case failed != nil:
		return Error(failed.Error())
	}
	c.Out.OK()
	return nil
}

// slots returns the slots to lock, ascending. (More than one only where there is
// no cluster.)
func (m *migration) slots() []slots.Slot {
	locked := make([]slots.Slot, len(m.keys))
	for i, at := range m.keys {
		locked[i] = slots.Of(m.call.Args[at])
	}
	slices.Sort(locked)
	return slices.Compact(locked)
}

// read takes the hold and the payloads, at one moment, and waits until what it
// read is durable here.
func (m *migration) read() error {
	c := m.call
	var lsn storage.LSN
	var err error
	if locked := m.slots(); len(locked) == 1 {
		lsn, err = c.Env.Engine.View(c.Now, locked[0], storage.OpFunc(m.readOp))
	} else {
		lsn, err = c.Env.Engine.Update(c.Now, locked, storage.OpFunc(m.readOp))
	}
	c.seen(lsn)
	if err != nil {
		return err
	}
	return c.Env.Engine.Await(lsn)
}

func (m *migration) readOp(tx *storage.Tx) error {
	c := m.call
	view := c.view()
	m.asking = view.Enabled
	if err := slots.Route(view, c.request(m.keys)); err != nil {
		return err
	}
	names := make([][]byte, len(m.keys))
	for i, at := range m.keys {
		names[i] = c.Args[at]
	}
	if err := tx.Prefetch(names...); err != nil {
		return err
	}
	if !m.copy {
		if err := tx.Hold(m.hold, names); err != nil {
			return err
		}
	}
	m.payloads, m.expires = m.payloads[:0], m.expires[:0]
	for _, name := range names {
		payload, expireAt, ok, err := tx.Dump(nil, name)
		switch {
		case err == storage.ErrUnknownValue:
			return errDumpUnknown
		case err != nil:
			return err
		case !ok:
			payload = nil
		}
		m.payloads, m.expires = append(m.payloads, payload), append(m.expires, expireAt)
	}
	return nil
}

// requests builds the pipeline; nil if there is no key at all.
func (m *migration) requests(now int64) []byte {
	var out []byte
	name := "RESTORE"
	if m.asking {
		name = "RESTORE-ASKING"
	}
	for i, payload := range m.payloads {
		if payload == nil {
			continue
		}
		if out == nil {
			out = []byte{}
		}
		ttl := int64(0)
		if at := m.expires[i]; at != 0 {
			if ttl = at - now; ttl < 0 {
				continue
			}
			ttl = max(ttl, 1)
		}
		args := [][]byte{[]byte(name), m.call.Args[m.keys[i]], strconv.AppendInt(nil, ttl, 10), payload}
		if m.replace {
			args = append(args, []byte("REPLACE"))
		}
		out = AppendRequest(out, args...)
		m.sent = append(m.sent, i)
	}
	return out
}

// AppendRequest appends a request as a client writes it.
func AppendRequest(dst []byte, args ...[]byte) []byte {
	dst = append(strconv.AppendInt(append(dst, '*'), int64(len(args)), 10), "\r\n"...)
	for _, arg := range args {
		dst = append(strconv.AppendInt(append(dst, '$'), int64(len(arg)), 10), "\r\n"...)
		dst = append(append(dst, arg...), "\r\n"...)
	}
	return dst
}

// remove deletes what the target has taken over. The reply then waits until that
// is durable.
func (m *migration) remove() error {
	if m.copy || len(m.acked) == 0 {
		return nil
	}
	c := m.call
	lsn, err := c.Env.Engine.Update(c.Now, m.slots(), storage.OpFunc(func(tx *storage.Tx) error {
		tx.Through(m.hold)
		if err := slots.Route(c.view(), c.request(m.keys)); err != nil {
			return err
		}
		if m.hold.Broken() {
			return errMigrateTorn
		}
		for _, key := range m.acked {
			gone, err := tx.Delete(key)
			if err != nil {
				return err
			}
			if gone {
				tx.Note(eventGeneric, "del", key)
			}
		}
		return nil
	}))
	c.seen(lsn)
	return err
}
