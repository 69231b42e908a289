"""What can be asked, validated: recipes, jobs, studies. No torch in here."""
