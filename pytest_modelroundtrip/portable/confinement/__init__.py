"""What a reload may use of its machine: files, folders, hosts."""
