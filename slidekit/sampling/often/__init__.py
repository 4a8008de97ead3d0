"""How often slides come: alike, by their tissue, by weights, or by quotas over columns of the annotations."""
