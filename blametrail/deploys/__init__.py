"""Deploys: reported, placed in their lineage, shown."""
