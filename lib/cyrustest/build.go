package cyrustest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// aliases are the programs that are another one under a second name.
var aliases = map[string]string{"pop3test": "imtest", "lmtptest": "imtest"}

// binVariable is the environment variable that names a directory of programs
// to test in place of those that the tree makes.
const binVariable = "GOCYRUS_BIN"

// build makes all programs, once for a test program.
var build = sync.OnceValues(buildAll)

// programs puts all our programs into dir, which it makes. They are built into
// a directory that all test programs of the tree share, so that only what
// changed is linked. dir gets links of its own: a build meanwhile replaces the
// shared files and not those of a running server.
func programs(t testing.TB, dir string) {
	t.Helper()
	shared, err := build()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Getenv(binVariable) == "" {
		unlock, err := lockFile(filepath.Dir(shared) + ".lock")
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
	}
	names, err := filepath.Glob(filepath.Join(shared, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := linkOrCopy(name, filepath.Join(dir, filepath.Base(name))); err != nil {
			t.Fatal(err)
		}
	}
	for alias, name := range aliases {
		if err := os.Symlink(name, filepath.Join(dir, alias)); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
	}
}

func linkOrCopy(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, os.ErrExist) {
		return nil
	}
	return copyFile(from, to)
}

// copyFile makes the program to, which is not there.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(err, out.Close())
	}
	return out.Close()
}

// buildAll builds cmd/... and returns where.
func buildAll() (string, error) {
	if dir := os.Getenv(binVariable); dir != "" {
		return dir, nil
	}
	root, err := repository()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(root))
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("gocyrus-programs-%d-%x", os.Getuid(), sum[:6]))
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	if err := owned(dir); err != nil {
		return "", err
	}
	unlock, err := lockFile(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	// What is up to date go build touches, and a service whose program has another
	// time retires. So it makes the programs in a directory of its own.
	made := filepath.Join(dir, "made")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", made+"/", "./cmd/...")
	cmd.Dir = root
	// As they are shipped: with cgo master cannot keep the right to low ports.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/...: %w\n%s", err, out)
	}
	bin := filepath.Join(dir, "bin")
	return bin, publish(made, bin)
}

// publish puts the programs that differ from those in bin there, each under its name
// at once.
func publish(made, bin string) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	programs, err := os.ReadDir(made)
	if err != nil {
		return err
	}
	for _, p := range programs {
		from, to := filepath.Join(made, p.Name()), filepath.Join(bin, p.Name())
		if same, err := sameBuild(from, to); err != nil {
			return err
		} else if same {
			continue
		}
		next := to + ".new"
		if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := copyFile(from, next); err != nil {
			return err
		}
		if err := os.Rename(next, to); err != nil {
			return err
		}
	}
	return nil
}

// sameBuild compares two programs by size and by the first page, in which the linker
// leaves a hash of all that the program was made of. One that is not there differs.
func sameBuild(a, b string) (bool, error) {
	headA, sizeA, err := head(a)
	if err != nil {
		return false, err
	}
	headB, sizeB, err := head(b)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && sizeA == sizeB && bytes.Equal(headA, headB), err
}

func head(path string) ([]byte, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	page, err := io.ReadAll(io.LimitReader(f, 4096))
	return page, fi.Size(), err
}

// owned refuses a directory that someone else made where everyone may.
func owned(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Getuid() {
		return fmt.Errorf("%s: not a directory of user %d", dir, os.Getuid())
	}
	return nil
}

// repository is the root of the module, by where this file lies.
func repository() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return "", errors.New("cyrustest: built with -trimpath: the repository is not known")
	}
	root, _, ok := strings.Cut(file, "/lib/cyrustest/")
	if !ok {
		return "", fmt.Errorf("cyrustest: %s is not below lib/cyrustest", file)
	}
	return root, nil
}

func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("flock %s: %w", path, err), f.Close())
	}
	return func() { f.Close() }, nil
}
