print("kanmon")
