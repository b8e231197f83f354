package postgres

import (
	"errors"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/stats"
)

// Joint moments are stored as a JSON array of numbers: n, the means, what rounding
// lost of these, and the triangle of centred products. A report reads them of
// every look that it shows; the names of fields would cost five times as much.

// appendJoint writes joint moments into a row of COPY.
func appendJoint(buf []byte, j *stats.JointMoments) []byte {
	buf = strconv.AppendInt(append(buf, '['), j.N, 10)
	for _, part := range [...][]float64{j.Mean, j.Low, j.C} {
		for _, f := range part {
			buf = appendFloat(append(buf, ','), f)
		}
	}
	return append(buf, ']')
}

var errMalformedJoint = errors.New("malformed joint moments")

// parseJoint reads what appendJoint wrote.
func parseJoint(text string) (*stats.JointMoments, error) {
	if len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' {
		return nil, errMalformedJoint
	}
	inner := text[1 : len(text)-1]
	first, rest, _ := strings.Cut(inner, ",")
	n, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return nil, errMalformedJoint
	}
	numbers := make([]float64, 0, strings.Count(rest, ",")+1)
	for rest != "" {
		var number string
		number, rest, _ = strings.Cut(rest, ",")
		f, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return nil, errMalformedJoint
		}
		numbers = append(numbers, f)
	}
	if len(numbers) == 0 {
		return &stats.JointMoments{N: n}, nil
	}
	for k := 1; ; k++ { // variables
		switch want := 2*k + k*(k+1)/2; {
		case want == len(numbers):
			return &stats.JointMoments{N: n, Mean: numbers[:k:k], Low: numbers[k : 2*k : 2*k], C: numbers[2*k:]}, nil
		case want > len(numbers):
			return nil, errMalformedJoint
		}
	}
}
