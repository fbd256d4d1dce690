# What is installed where, and the Debian packages and archives made of it (CPack).
