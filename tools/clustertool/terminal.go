package clustertool

import (
	"fmt"
	"io"
	"os"
	"strings"
)

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (t *tool) say(format string, args ...any) {
	t.endProgress()
	fmt.Fprintf(t.out, format+"\n", args...)
}

// confirm asks before a plan that was printed is carried out.
func (t *tool) confirm() error {
	if t.dryRun {
		t.say("Dry run: nothing was changed.")
		return errDryRun
	}
	if t.yes {
		return nil
	}
	fmt.Fprint(t.out, "Do this? (yes/no) ")
	answer, _ := t.stdin.ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	fmt.Fprintln(t.out)
	return errDeclined
}

// progress shows how far something is: a bar on a terminal, else a line at each tenth.
func (t *tool) progress(what string, done, total int) {
	if total == 0 {
		return
	}
	percent := 100 * done / total
	if !t.interactive {
		line := fmt.Sprintf("%s: %d %%", what, percent/10*10)
		if line != t.progressLine {
			fmt.Fprintf(t.out, "%s: %d of %d\n", what, done, total)
			t.progressLine = line
		}
		return
	}
	const width = 30
	full := width * done / total
	t.progressLine = fmt.Sprintf("\r%s [%s%s] %d/%d (%d %%)\x1b[K", what, strings.Repeat("#", full), strings.Repeat(".", width-full), done, total, percent)
	fmt.Fprint(t.out, t.progressLine)
}

func (t *tool) endProgress() {
	if t.interactive && t.progressLine != "" {
		fmt.Fprintln(t.out)
	}
	t.progressLine = ""
}
