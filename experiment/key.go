package experiment

// MaxKeyBytes bounds the keys of experiments, arms, layers and metrics.
const MaxKeyBytes = 64

// ValidKey reports whether s has the form [a-z0-9][a-z0-9_.-]{0,63}. The set
// is narrow because a stock OFREP client writes keys into URLs unescaped.
func ValidKey(s string) bool {
	if s == "" || len(s) > MaxKeyBytes {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '_' && c != '.' && c != '-') {
			return false
		}
	}
	return true
}
