package resp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Readers that share rooms read what they were sent, however it was cut, and hold nothing between commands.
func TestRoomsAreShared(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	const sessions, commands = 5, 400
	var rooms Rooms
	var readers [sessions]Reader
	var input, want, got [sessions]bytes.Buffer
	for s := range sessions {
		for i := range commands {
			size := rng.IntN(60)
			if i%50 == 0 {
				size = rng.IntN(200_000)
			}
			value := strings.Repeat(string(rune('a'+s)), size)
			fmt.Fprintf(&input[s], "*2\r\n$4\r\n%04d\r\n$%d\r\n%s\r\n", i, size, value)
			fmt.Fprintf(&want[s], "%04d %s\n", i, value)
		}
	}
	for left := sessions; left > 0; {
		for s := range sessions { // all have read before the first of them runs a command
			rooms.Lend(&readers[s])
			space := readers[s].Space()
			n, _ := input[s].Read(space[:min(len(space), 1+rng.IntN(9000))])
			readers[s].Filled(n)
			readers[s].Ahead(1 + rng.IntN(16))
		}
		left = 0
		for s := range sessions {
			for {
				args, err := readers[s].Next()
				if err != nil {
					t.Fatal(err)
				}
				if args == nil {
					break
				}
				fmt.Fprintf(&got[s], "%s %s\n", args[0], args[1])
			}
			rooms.Return(&readers[s])
			if readers[s].Buffered() == 0 && readers[s].Free() > 0 {
				t.Fatalf("a reader of nothing holds %d bytes", readers[s].Free())
			}
			if input[s].Len() > 0 || readers[s].Buffered() > 0 {
				left++
			}
		}
	}
	for s := range sessions {
		if !bytes.Equal(got[s].Bytes(), want[s].Bytes()) {
			t.Errorf("session %d read something else than it was sent", s)
		}
	}
	if rooms.readers.held > keepRooms {
		t.Errorf("%d rooms of %d bytes are kept for %d sessions", len(rooms.readers.free), rooms.readers.held, sessions)
	}
}

// The beginning of a command does not keep a large room from others.
func TestRoomOfAnUnfinishedCommandIsSmall(t *testing.T) {
	var rooms Rooms
	rooms.readers.give(Room{buf: make([]byte, keepSpace)})
	var r Reader
	rooms.Lend(&r)
	r.Filled(copy(r.Space(), "*2\r\n$3\r\nGET\r\n$1\r"))
	if args, err := r.Next(); args != nil || err != nil {
		t.Fatal(args, err)
	}
	rooms.Return(&r)
	if r.Free() > 4*minSpace || len(rooms.readers.free) != 1 {
		t.Errorf("it holds %d bytes, %d rooms are free", r.Free(), len(rooms.readers.free))
	}
	r.Filled(copy(r.Space(), "\nk\r\n"))
	if args, err := r.Next(); err != nil || len(args) != 2 || string(args[1]) != "k" {
		t.Errorf("%q, %v", args, err)
	}
}

// A reader that waits for the rest of a command is lent as much room for it as any other: else a pipeline would come in
// pieces as small as what is kept between.
func TestRestOfACommandHasRoom(t *testing.T) {
	var rooms Rooms
	var r Reader
	pipeline := strings.Repeat("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", 2000)
	rooms.Lend(&r)
	r.Filled(copy(r.Space(), pipeline[:readRoom]))
	read := 0
	for args, _ := r.Next(); args != nil; args, _ = r.Next() {
		read++
	}
	rooms.Return(&r)
	if r.Free() > 2*minSpace || r.Buffered() == 0 {
		t.Fatalf("it holds %d bytes, of which %d are used", r.Free()+r.Buffered(), r.Buffered())
	}
	rooms.Lend(&r)
	if n := len(r.Space()); n < readRoom/2 {
		t.Errorf("there is room for %d bytes more", n)
	}
	if allocs := testing.AllocsPerRun(100, func() {
		rooms.Return(&r)
		rooms.Lend(&r)
	}); allocs > 0 {
		t.Errorf("%v allocations each time", allocs)
	}
	for rest := pipeline[readRoom:]; len(rest) > 0; {
		n := copy(r.Space(), rest)
		r.Filled(n)
		rest = rest[n:]
		for args, _ := r.Next(); args != nil; args, _ = r.Next() {
			read++
		}
	}
	if read != 2000 {
		t.Errorf("%d commands were read", read)
	}
}

func TestRoomsAreBounded(t *testing.T) {
	var rooms Rooms
	for range 20 {
		var w Writer
		w.Raw(make([]byte, 1<<20))
		w.Reset()
		rooms.ReturnReply(&w)
	}
	if rooms.writers.held > keepRooms {
		t.Errorf("%d bytes are kept", rooms.writers.held)
	}
	var w Writer
	rooms.LendReply(&w)
	if cap(w.buf) != 1<<20 || w.Len() != 0 {
		t.Errorf("lent %d bytes, %d of them used", cap(w.buf), w.Len())
	}
}

// Rooms that were never needed between two looks go, and those that are needed stay.
func TestUnusedRoomsGo(t *testing.T) {
	const needed = 5
	var stack roomStack
	for range 300 {
		stack.give(Room{buf: make([]byte, 2000)})
	}
	for range 2 * roomLook / needed {
		var rooms [needed]Room
		for i := range rooms {
			rooms[i] = stack.take()
		}
		for i := range rooms {
			if rooms[i].size() != 2000 {
				t.Fatal("there is no room, though all of them came back")
			}
			stack.give(rooms[i])
		}
	}
	if len(stack.free) != needed || stack.held != needed*2000 {
		t.Errorf("%d rooms of %d bytes are kept, %d are needed", len(stack.free), stack.held, needed)
	}
}
