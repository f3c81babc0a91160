package repair

import "testing"

// TestCheckReal checks spools that Cyrus wrote, in which nothing is wrong.
func TestCheckReal(t *testing.T) {
	for _, name := range spools {
		t.Run(name, func(t *testing.T) {
			s := unpack(t, name).open(t)
			found, err := CheckSite(t.Context(), s, CheckOptions{Content: true})
			if err != nil {
				t.Error(err)
			}
			for _, f := range found {
				// Indexes before version 13 do not count annotations: quota -f
				// of Cyrus says this too.
				if name == "cyrus-3.6.1-oldindex" && f.Text == "user.alice: ANNOTATION-STORAGE usage was 807, now 205" {
					continue
				}
				t.Errorf("%s: %s", f.Kind, f)
			}
		})
	}
}
