module github.com/understudy-dev/understudy/hack

go 1.26.0
