#!/bin/sh
# The whole program of the image that `npm run demo` makes.
cat /etc/motd
echo "Hello from $(uname -m), with ${#} arguments."
