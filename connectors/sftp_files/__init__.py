"""Files in directories of an SFTP server, in both directions, in whatever format the connection names."""
