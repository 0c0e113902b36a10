"""What is true: members, their subsystems and servers, groups, approved authorities."""
