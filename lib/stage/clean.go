package stage

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// Leftover is the age from which a staged file belongs to nobody any more.
const Leftover = 24 * time.Hour

// Clean removes what deliveries that were killed left in the stage directories
// longer ago than Leftover.
func (s *Stager) Clean(now time.Time) error {
	var errs []error
	for name := range s.store.Options().Partitions {
		dir, err := s.DirOf(name)
		if err != nil {
			return err
		}
		list, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, f := range list {
			info, err := f.Info()
			if err != nil || !info.Mode().IsRegular() || now.Sub(info.ModTime()) < Leftover {
				continue
			}
			if err := os.Remove(filepath.Join(dir, f.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}
