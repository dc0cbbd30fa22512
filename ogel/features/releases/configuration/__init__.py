"""The file that describes services to Railway (Infrastructure as Code), held against what there is."""
