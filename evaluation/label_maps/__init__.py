"""AVA's label maps and excluded keyframes (Google, CC BY 4.0), as data files of the package."""
