// Package partlist chooses the partition of a new mailbox (Cyrus's
// imap/partlist.c, option partition_select_mode).
//
// The options defaultpartition and the parent's partition come first; only a
// site that has neither for a mailbox lets this package choose by free space.
package partlist

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"gocyrus/lib/config"
)

// ErrNone is the error of a site without a partition to choose.
var ErrNone = errors.New("unknown/invalid partition")

// Mode is how a partition is chosen.
type Mode string

const (
	Random        Mode = "random"
	FreespaceMost Mode = "freespace-most"                   // most octets free
	PercentMost   Mode = "freespace-percent-most"           // highest share free
	Weighted      Mode = "freespace-percent-weighted"       // chance by share free
	WeightedDelta Mode = "freespace-percent-weighted-delta" // chance by share above the fullest
)

// Options are what the configuration says.
type Options struct {
	Default   string // always chosen, unless empty
	Mode      Mode
	Roots     map[string]string // partition to the directory of its data
	Exclude   []string
	SoftLimit int // percent used above which a partition is chosen only when all are
	Reinit    int // choices between two looks at the disks; 0 looks once
}

// OptionsFrom reads the options.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{
		Default:   cfg.Str("defaultpartition"),
		Mode:      Mode(cfg.Enum("partition_select_mode")),
		Roots:     map[string]string{},
		Exclude:   cfg.List("partition_select_exclude"),
		SoftLimit: cfg.Int("partition_select_soft_usage_limit"),
		Reinit:    cfg.Int("partition_select_usage_reinit"),
	}
	for _, p := range cfg.Partitions() {
		o.Roots[p.Name] = p.Data
	}
	return o
}

// List chooses partitions. Its methods may be called from many goroutines.
type List struct {
	opt  Options
	stat func(dir string) (free, total uint64, err error)

	mu    sync.Mutex
	disks []disk
	left  int // choices until the disks are looked at again
}

type disk struct {
	name  string
	free  uint64
	share float64 // percent free
}

// New makes a list from options.
func New(o Options) *List { return &List{opt: o, stat: statfs} }

func statfs(dir string) (free, total uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}

// Has reports whether the site has a partition of that name.
func (l *List) Has(name string) bool { _, ok := l.opt.Roots[name]; return ok }

// Choose names the partition of a new mailbox that has no parent. The error is
// ErrNone.
func (l *List) Choose() (string, error) {
	if l.opt.Default != "" {
		if !l.Has(l.opt.Default) {
			return "", ErrNone
		}
		return l.opt.Default, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.disks == nil || l.opt.Reinit > 0 && l.left == 0 {
		l.look()
	}
	l.left--
	disks := l.roomy()
	if len(disks) == 0 {
		return "", ErrNone
	}
	return pick(disks, l.opt.Mode), nil
}

// look measures the disks; one that cannot be measured is left out.
func (l *List) look() {
	l.disks, l.left = nil, l.opt.Reinit
	for name, dir := range l.opt.Roots {
		if slices.Contains(l.opt.Exclude, name) {
			continue
		}
		free, total, err := l.stat(dir)
		if err != nil || total == 0 {
			continue
		}
		l.disks = append(l.disks, disk{name, free, 100 * float64(free) / float64(total)})
	}
	slices.SortFunc(l.disks, func(a, b disk) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
}

// roomy are the disks below the soft limit, all of them when there is none.
func (l *List) roomy() []disk {
	var out []disk
	for _, d := range l.disks {
		if l.opt.SoftLimit <= 0 || 100-d.share <= float64(l.opt.SoftLimit) {
			out = append(out, d)
		}
	}
	if len(out) == 0 {
		return l.disks
	}
	return out
}

func pick(disks []disk, mode Mode) string {
	most := func(less func(a, b disk) int) string { return slices.MaxFunc(disks, less).name }
	switch mode {
	case FreespaceMost:
		return most(func(a, b disk) int { return compare(float64(a.free), float64(b.free)) })
	case PercentMost:
		return most(func(a, b disk) int { return compare(a.share, b.share) })
	case Weighted:
		return weighted(disks, 0)
	case WeightedDelta:
		// Half a percent keeps the fullest in the draw, as Cyrus does.
		least := slices.MinFunc(disks, func(a, b disk) int { return compare(a.share, b.share) })
		return weighted(disks, least.share-0.5)
	default:
		return disks[rand.IntN(len(disks))].name
	}
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// weighted draws a disk with the chance of its share free above base.
func weighted(disks []disk, base float64) string {
	sum := 0.0
	for _, d := range disks {
		sum += max(0, d.share-base)
	}
	at := rand.Float64() * sum
	for _, d := range disks {
		if at -= max(0, d.share-base); at < 0 {
			return d.name
		}
	}
	return disks[len(disks)-1].name
}
