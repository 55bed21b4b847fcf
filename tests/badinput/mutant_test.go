package badinput

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cobble/tests/proc"
)

// planted are rules that this suite stands for, each taken out of the source by one change of text (go build -overlay:
// the tree stays as it is). The named test is run against a server without the rule, and must fail.
var planted = []struct{ name, file, rule, bug, test string }{
	{"a count that is no number", "server/resp/reader.go", "case !ok || n > int64(r.maxArgs()):", "case ok && n > int64(r.maxArgs()):", "TestMalformed"},
	{"an argument of any length", "server/resp/reader.go", "r.Limits.Bulk > 0 && n > r.Limits.Bulk", "false", "TestMalformed"},
	{"DUMP without its checksum", "storage/dump/format.go", "binary.LittleEndian.Uint64(payload[n+2:]) != checksum(payload[:n+2])", "false", "TestRestoreGarbage"},
	{"log records without their CRC", "storage/log/format.go", "binary.LittleEndian.Uint32(raw[4:]); got != crc {", "binary.LittleEndian.Uint32(raw[4:]); got == ^crc {", "TestDamagedLogTail"},
	{"a store of any version", "storage/open.go", "case text != versionText:", "case false:", "TestOtherVersion"},
	{"two servers in one directory", "server/server.go", "syscall.LOCK_EX|syscall.LOCK_NB", "syscall.LOCK_SH|syscall.LOCK_NB", "TestSameDirectory"},
	{"importing a slot that is one's own", "cluster/command.go", "if m.owner[c.Slot] == m.me.num {\n\t\treturn Result{Err: \"ERR I'm already the owner", "if false {\n\t\treturn Result{Err: \"ERR I'm already the owner", "TestClusterNonsense"},
	{"writers wait for a store that fails", "storage/disk.go", "e.trouble.Store(fresh)", "_ = fresh", "TestStoreFails"},
	{"readers end with the log", "storage/log/log.go", "if err := l.Err(); errors.Is(err, ErrClosed) {", "if err := l.Err(); err != nil {", "TestLogFails"},
	{"a node table of any format", "cluster/nodesconf.go", "format != \"1\" && format != strconv.Itoa(nodesConfFormat)", "false", "TestUnreadableNodes"},
}

// TestMutants runs the first planted bug; COBBLE_MUTANTS=1 (make sim-mutants) runs all, which takes a build for each.
func TestMutants(t *testing.T) {
	if os.Getenv("COBBLE_BIN") != "" {
		t.Skip("a program is given; planted bugs are built from this tree")
	}
	list := planted
	if os.Getenv("COBBLE_MUTANTS") == "" {
		list = list[:1]
	}
	for _, m := range list {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			program := mutant(t, m.file, m.rule, m.bug)
			cmd := exec.Command(os.Args[0], "-test.run", "^"+m.test+"$", "-test.timeout", "3m")
			cmd.Env = append(os.Environ(), "COBBLE_BIN="+program)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: "+m.test) {
				t.Fatalf("%s lets it pass (%v):\n%.2000s", m.test, err, out)
			}
			_, why, _ := strings.Cut(string(out), "--- FAIL: ")
			t.Logf("caught: %.300s", why)
		})
	}
}

// mutant builds the server with one text in one file replaced.
func mutant(t *testing.T, file, rule, bug string) string {
	t.Helper()
	root, dir := proc.ModuleRoot(t), t.TempDir()
	name := filepath.Join(root, file)
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), rule); n != 1 {
		t.Fatalf("%s has %d times %q: say anew where the rule is", file, n, rule)
	}
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), rule, bug, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {name: changed}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "cobble")
	cmd := exec.Command("go", "build", "-overlay", list, "-o", program, "./cmd/cobble")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the mutant: %v\n%s", err, out)
	}
	return program
}
