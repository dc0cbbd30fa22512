"""What a file is, by how it begins, whatever its sender calls it."""
